/**
 * What leaves a Session object: gathers what the frames of one tick bring, writes rows before it sends, and keeps the alarm. The one place where
 * the order "rows, then bytes" is kept.
 */

import { type FaultPort, guarded } from "../fault.ts";
import { AWAKE_MS_MAX } from "../limits.ts";
import type { Runtime, Timer } from "../runtime.ts";
import { patienceEndsAt } from "../session/catch-up.ts";
import type { SessionCore } from "../session/core.ts";
import { flush } from "../session/flush.ts";
import type { SessionMachine } from "../session/machine.ts";
import { storeWaiting, unwritten } from "../session/rows.ts";
import { answersEndAt } from "../session/unread-bound.ts";
import { ATTACHMENT_GATHER_MS, ROW_GATHER_CHANGES, ROW_GATHER_MS } from "../storage-limits.ts";
import { ALONE_FLUSHES, ALONE_FRAMES, LEFT_ALARM_MS } from "../work-limits.ts";
import { AlarmClock, type AlarmStorage } from "./alarm-clock.ts";
import type { Client } from "./client.ts";
import { startAgain } from "./guarded-store.ts";
import type { Meter } from "./meter.ts";
import { Outgoing } from "./outgoing.ts";
import type { Router } from "./router.ts";
import { SOCKET_CLOSING, type SocketWire } from "./socket-wire.ts";
import type { Taker, Turns } from "./turns.ts";

export interface FlusherOptions {
  readonly core: SessionCore;
  readonly machine: SessionMachine;
  readonly router: Router;
  /** Of the clients. */
  readonly turns: Turns;
  /** Of what is no client's own. */
  readonly ownTurns: Turns;
  readonly clients: ReadonlyMap<WebSocket, Client>;
  readonly state: { readonly storage: AlarmStorage; abort(reason: string): void };
  /** The object's. */
  readonly name: string;
  readonly meter: Meter;
  readonly faults: FaultPort;
  readonly runtime: Runtime;
  /** Called when everything of a tick is in rows and sent. */
  readonly flushed: () => void;
}

export class Flusher implements Taker {
  readonly #core: SessionCore;
  readonly #machine: SessionMachine;
  readonly #router: Router;
  readonly #turns: Turns;
  readonly #ownTurns: Turns;
  readonly #outgoing: Outgoing;
  readonly #clients: ReadonlyMap<WebSocket, Client>;
  readonly #state: FlusherOptions["state"];
  readonly #name: string;
  readonly #faults: FaultPort;
  readonly #runtime: Runtime;
  readonly #alarm: AlarmClock;
  readonly #served: () => void;
  /** What was left of due deadlines, long jobs, attachments and frames waits for a turn. */
  #waits = false;
  #tick: Timer | undefined;
  /** A frame is being handled. */
  #isHandling = false;
  /** What it brings has to leave. */
  #isDue = false;
  /** So many were handled since something left. */
  #frames = 0;
  /** So many more may be followed at once by what they bring. */
  #alone = 0;
  /** Runs while what has to be written waits for more of its kind. */
  #gathering: Timer | undefined;
  /** Milliseconds since the epoch. */
  #rowsWrittenAt = 0;
  /** Milliseconds since the epoch. */
  #attachedAt = 0;
  /** Runs while attachments wait for the ones after them. */
  #attaching: Timer | undefined;
  /** Who waits for the next flush. */
  #flushed: (() => void)[] = [];
  #awake: Timer | undefined;
  /** Runs while publishers wait for slow clients. */
  #patience: Timer | undefined;
  /** Runs while clients were asked whether they read and have not answered. */
  #answers: Timer | undefined;

  constructor({ core, machine, router, turns, ownTurns, clients, state, name, meter, faults, runtime, flushed }: FlusherOptions) {
    this.#core = core;
    this.#machine = machine;
    this.#router = router;
    this.#turns = turns;
    this.#ownTurns = ownTurns;
    this.#outgoing = new Outgoing(core);
    this.#clients = clients;
    this.#state = state;
    this.#name = name;
    this.#faults = faults;
    this.#runtime = runtime;
    this.#served = flushed;
    this.#alarm = new AlarmClock({
      storage: state.storage,
      runtime,
      meter,
      wakeAt: () => this.#wakeAt(),
      failed: (error) => faults.caught(error, "setting the alarm", undefined),
    });
  }

  /** A wire whose packets leave with the next flush, or in turn. */
  wire(socket: WebSocket): SocketWire {
    return this.#outgoing.wire(socket);
  }

  flushSoon(): void {
    if (this.#isHandling) {
      this.#isDue = true;
      return;
    }
    this.#tick ??= this.#runtime.after(0, () => {
      this.#tick = undefined;
      // Else no frame has waited, and nothing is known of others.
      if (this.#frames > 0) this.#alone = this.#frames <= ALONE_FRAMES && !this.#router.gathers ? ALONE_FLUSHES : 0;
      this.flush();
    });
  }

  /** A frame is going to be handled. */
  beginFrame(): void {
    this.#isHandling = true;
  }

  /**
   * It was handled. What it brings leaves at the end of the tick, with what others bring: a frame then serves several packets. Where hardly
   * any came in a tick the next few are not kept waiting for others; then one is, to see whether there are any.
   */
  endFrame(): void {
    this.#isHandling = false;
    this.#frames += 1;
    if (!this.#isDue) return;
    this.#isDue = false;
    if (this.#alone === 0 || this.#tick !== undefined || unwritten(this.#core) > 0) this.flushSoon();
    else {
      this.#alone -= 1;
      this.#flushNow();
    }
  }

  /**
   * Sends what was gathered, at once or, where a row has just been written and little is to be written again, some milliseconds later:
   * then one row and one commit serve all that comes meanwhile.
   */
  flush(): void {
    this.#tick?.cancel();
    this.#tick = undefined;
    const now = this.#runtime.now();
    this.#turns.renew(now);
    const waiting = unwritten(this.#core);
    const waitMs = leftOf(ROW_GATHER_MS, this.#rowsWrittenAt, now);
    if (waiting === 0 || waiting >= ROW_GATHER_CHANGES || waitMs === 0) this.#flushNow();
    else this.#gathering ??= this.#runtime.after(waitMs, () => this.#flushNow());
  }

  /** Resolves once everything so far is in rows, and sent or in line for that. */
  written(): Promise<void> {
    const written = new Promise<void>((resolve) => this.#flushed.push(resolve));
    this.flush();
    return written;
  }

  /** The alarm fired. */
  async alarm(): Promise<void> {
    this.#alarm.fired();
    this.#flushNow();
    // The handler is not over before the next alarm is set: what happens to the object from here on finds it.
    await this.#alarm.set();
  }

  /** What was left has its turn, one in a tick: a flush does a share of it. */
  turn(): number {
    this.#waits = false;
    guarded(this.#faults, "going on with what was left", undefined, () => this.flush());
    return this.#core.slices.tick;
  }

  /**
   * Everything of this tick: due deadlines, rows, then calls and frames. Of what may be very much a share; the rest waits for its turn, so
   * that those who come in between are held up by a share of it and not by all.
   */
  #flushNow(): void {
    this.#tick?.cancel();
    this.#tick = undefined;
    this.#gathering?.cancel();
    this.#gathering = undefined;
    this.#frames = 0;
    this.#core.qos0.clear();
    let isLeft = !this.#waits && this.#machine.proceed(this.#runtime.now(), this.#core.slices.share);
    this.#router.serve();
    if (!this.#writeRows()) return;
    this.#router.flush();
    this.#outgoing.flush(this.#send);
    if (!this.#waits) this.#outgoing.flushSlice(this.#send);
    isLeft ||= this.#outgoing.isLeft || this.#isLeftToAttach || this.#core.events.isLeft || this.#core.presence.isLeft;
    if (isLeft && !this.#waits) {
      this.#waits = true;
      this.#ownTurns.wait(this);
    }
    const flushed = this.#flushed;
    this.#flushed = [];
    for (const resolve of flushed) resolve();
    this.#served();
    this.#stayAwake();
    this.#watchSlow();
    this.#watchUnread();
    if (!this.#alarm.isSet) this.#alarm.keep();
  }

  /** What happens to one socket is nothing to the others. */
  readonly #send = (wire: SocketWire): void => {
    try {
      wire.flush();
      if (wire.closes) countClosing(this.#core, wire.socket);
    } catch (error) {
      this.#clients.get(wire.socket)?.failed(error, "sending to it");
    }
  };

  /**
   * Where storage refuses to write, memory must not go on as if it had: the object starts again from what is stored.
   * @returns false then: nothing that was gathered may leave
   */
  #writeRows(): boolean {
    const now = this.#runtime.now();
    if (unwritten(this.#core) > 0) this.#rowsWrittenAt = now;
    try {
      flush(this.#core, this.#core.slices.attachments, this.#lateAttachments(now));
      return true;
    } catch (error) {
      startAgain(this.#name, this.#state, error);
      return false;
    }
  }

  /**
   * Attachments of sessions without rows count when the object sleeps: where some have just been written, those that have changed since wait for
   * what changes next, and a timer keeps the object awake.
   * @returns how many are written now, at most
   */
  #lateAttachments(now: number): number {
    const { changes, slices } = this.#core;
    const waitMs = leftOf(ATTACHMENT_GATHER_MS, this.#attachedAt, now);
    if (waitMs === 0) {
      this.#attaching?.cancel();
      this.#attaching = undefined;
      if (changes.lateAttachments > 0 && changes.lateAttachments <= slices.attachments) this.#attachedAt = now;
      return slices.attachments;
    }
    if (changes.lateAttachments > 0) {
      this.#attaching ??= this.#runtime.after(waitMs, () => {
        this.#attaching = undefined;
        this.flushSoon();
      });
    }
    return 0;
  }

  get #isLeftToAttach(): boolean {
    const { attachments, lateAttachments } = this.#core.changes;
    return attachments > 0 || (lateAttachments > 0 && this.#attaching === undefined);
  }

  /** Messages that wait for a client in memory alone keep the object from hibernating for a bounded time; then they get rows. */
  #stayAwake(): void {
    if (!this.#core.holdsMessagesInMemory) return;
    this.#awake?.cancel();
    this.#awake = this.#runtime.after(AWAKE_MS_MAX, () => {
      if (!this.#core.room.isFull) storeWaiting(this.#core);
      this.#flushNow();
    });
  }

  /** While publishers wait for slow clients the object stays awake, and looks in time who has waited long enough. */
  #watchSlow(): void {
    if (this.#core.slowing.sessions.size === 0 || this.#patience !== undefined) return;
    this.#patience = this.#runtime.after(patienceEndsAt(this.#core) - this.#runtime.now(), () => {
      this.#patience = undefined;
      this.#flushNow();
    });
  }

  /** While clients owe the answer whether they read the object stays awake, and looks in time who has had long enough for it. */
  #watchUnread(): void {
    if (this.#core.unanswered.size === 0) {
      this.#answers?.cancel();
      this.#answers = undefined;
      return;
    }
    // What is left of the deadlines has its turn.
    if (this.#waits) return;
    this.#answers ??= this.#runtime.after(answersEndAt(this.#core) - this.#runtime.now(), () => {
      this.#answers = undefined;
      this.#flushNow();
    });
  }

  #wakeAt(): number {
    const at = this.#core.deadlines.wakeAt();
    // What is due has its turns, whatever the alarm.
    return this.#waits ? Math.max(at, this.#runtime.now() + LEFT_ALARM_MS) : at;
  }
}

/** @returns what is left of so many milliseconds; 0 as well where the clock was set back, which must not hold anything up */
function leftOf(ms: number, since: number, now: number): number {
  const left = since + ms - now;
  return left > 0 && left <= ms ? left : 0;
}

/** A socket that was told to close counts until its client answers or goes. */
export function countClosing(core: SessionCore, socket: WebSocket): void {
  if (socket.readyState === SOCKET_CLOSING) core.closing.add(socket);
}
