/**
 * Server-Sent Events: the Worker asks for the next event when the reader has taken the last one, so that a slow reader holds up nobody else. That
 * a reader has gone is noticed when something is written to it.
 */

import { API_HEARTBEAT_MS } from "../login-limits.ts";
import { PLATFORM, type Timer } from "../runtime.ts";

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // Of proxies that would wait for more.
  "X-Accel-Buffering": "no",
};

export interface EventSource {
  /** @returns the next events, as `event` makes them, or why there are no more */
  next(): Promise<string | { readonly ended: string }>;
  /** It is over, by whichever side; may be called twice. */
  end(): unknown;
}

/** JSON has no line break that would end the data. @param data a value, or its JSON */
export function event(name: string, data: object | string): string {
  return `event: ${name}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}

export interface EventStreamOptions {
  /** When the reader's login is over, milliseconds since the epoch; Infinity = never. */
  readonly expiresAt: number;
  /** Takes what goes on when the answer has been given. */
  readonly waitUntil: (promise: Promise<unknown>) => void;
}

/** @param begins a comment, so that whoever connects knows that what was asked for stands */
export function eventStream(source: EventSource, begins: string, { expiresAt, waitUntil }: EventStreamOptions): Response {
  const { readable, writable } = new IdentityTransformStream();
  // The reader has gone: that is no failure.
  waitUntil(stream(source, begins, writable, expiresAt).catch(() => {}));
  return new Response(readable, { headers: HEADERS });
}

/** @returns when the stream is over, by whichever side */
async function stream(source: EventSource, begins: string, writable: WritableStream<Uint8Array>, expiresAt: number): Promise<void> {
  const encoder = new TextEncoder();
  const writer = writable.getWriter();
  let waits = 0;
  // Resolves when the reader has taken it, and rejects when he has gone.
  const write = async (text: string): Promise<void> => {
    waits += 1;
    await writer.write(encoder.encode(text));
    waits -= 1;
  };
  const isOver = (): boolean => PLATFORM.now() >= expiresAt;
  const rearm = (): Timer => PLATFORM.after(Math.min(API_HEARTBEAT_MS, expiresAt - PLATFORM.now()), beat);
  const beat = (): void => {
    if (isOver()) {
      void source.end();
      return;
    }
    heartbeat = rearm();
    if (waits === 0) void write(": still here\n\n").catch(() => source.end());
  };
  let heartbeat = rearm();
  try {
    await write(`: ${begins}\n\n`);
    let next = await source.next();
    for (; typeof next === "string"; next = await source.next()) await write(next);
    await write(event("end", { message: isOver() ? "the token has expired" : next.ended }));
    await writer.close();
  } finally {
    heartbeat.cancel();
    await source.end();
  }
}
