/** What the programs of an attack are told and what they tell: one JSON object in a line each way, between processes. */

import type { Shape as ObjectShape } from "../../src/objects/names.ts";

/** `compact`: one object. `relayed` and `handed over`: sharded, without and with the Client Identifier in the URL. */
export type Shape = "compact" | "relayed" | "handed over";

export const SHAPES: readonly Shape[] = ["compact", "relayed", "handed over"];

/** How a client reaches a broker. */
export interface Target {
  readonly url: string;
  /** Names the Client Identifier in the URL, so that a socket is handed to its object at the upgrade. */
  readonly idInUrl: boolean;
  /** Which objects there are: who attacks looks for the object of the pair. */
  readonly objects: ObjectShape;
}

/** The pair that keeps every rule, and its topic. Of four Session objects one has both of them: who attacks that one can harm either. */
export const PAIR = { subscriber: "pair-receiver", publisher: "pair-sender", topic: "pair/topic" } as const;

/** A user who exists and may do nothing outside `own/#`: for attacks that have to be refused. */
export const INTRUDER = { userName: "intruder", password: "the right one", rights: ["own/#"] } as const;

/** Messages that the pair exchanges in a second, at QoS 1. */
export const PAIR_MESSAGES_PER_SECOND = 50;

export interface PairOptions {
  /** The broker that is attacked, and a second one that is left alone: what that one's pair feels is the machine. */
  readonly attacked: Target;
  readonly calm: Target;
}

/** One line of the pair's input: so long is it measured from now on. */
export interface PairOrder {
  readonly seconds: number;
}

/** What a pair saw of the messages of one phase. */
export interface PairFigures {
  readonly sent: number;
  /** Milliseconds from sending to receiving; a message that did not come counts with the time for which it was waited for. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Messages that did not come, and those that were not acknowledged to their publisher, although it was waited for long. */
  readonly lost: number;
  readonly unacknowledged: number;
  /** How often the broker ended a connection of the pair. */
  readonly ended: number;
}

export interface PairReport {
  readonly attacked: PairFigures;
  readonly calm: PairFigures;
}

export interface AttackerOptions {
  readonly attack: string;
  readonly target: Target;
  /** How long ordinary load goes on before anything is measured: the runtime's memory grows under any. */
  readonly ordinaryRounds: number;
}

/** A line of the attacker's input: begin, stop and take away what was left, in this order. */
export type AttackerOrder = "begin" | "stop";

export type AttackerEvent = { readonly event: "prepared" } | { readonly event: "stopped"; readonly report: AttackerReport };

export interface AttackerReport {
  /** How often the attack did what it does. */
  readonly count: number;
  /** How often the broker ended or refused one of its connections. */
  readonly ended: number;
  /** Its own use of one core, 0 to 1: what of the pair's delay may be the machine's. */
  readonly busy: number;
}
