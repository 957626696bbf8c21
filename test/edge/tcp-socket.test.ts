/** A TCP socket as the relay sees it: what waits in memory is bounded, and every connection comes to its end. */

import { expect, test } from "vitest";
import { namespaceOfAddress } from "../../src/edge/tcp.ts";
import { type RawSocket, TcpSocket } from "../../src/edge/tcp-socket.ts";
import { TCP_LINGER_MS, TCP_UNSENT_BYTES_MAX } from "../../src/limits.ts";
import type { Runtime } from "../../src/runtime.ts";

/** Its other side takes nothing unless `takes`. */
function rawSocket(takes: boolean, pieces: readonly string[] = []) {
  const told: string[] = [];
  const taken: Uint8Array[] = [];
  const waiting = [...pieces];
  const socket: RawSocket = {
    readable: new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const piece = waiting.shift();
          if (piece === undefined) return new Promise(() => {});
          told.push(`read ${piece}`);
          if (piece === "end") controller.close();
          else controller.enqueue(new TextEncoder().encode(piece));
          return undefined;
        },
        cancel: () => void told.push("cancelled"),
      },
      { highWaterMark: 0 },
    ) as never,
    writable: new WritableStream<Uint8Array>({
      write: (bytes) => (takes ? void taken.push(bytes) : new Promise(() => {})),
      close: () => void told.push("all sent"),
    }) as never,
    close: async () => void told.push("closed"),
  };
  return { socket, told, taken };
}

/** Time that goes on when it is told to. */
function still(): Runtime & { pass(ms: number): void } {
  const timers = new Set<{ ms: number; run: () => void }>();
  return {
    now: () => 0,
    incarnation: () => "",
    after(ms, run) {
      const timer = { ms, run };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    pass(ms) {
      for (const timer of [...timers]) {
        if (timer.ms > ms) continue;
        timers.delete(timer);
        timer.run();
      }
    },
  };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("the next piece is read when there was a tick for the last", async () => {
  const { socket, told } = rawSocket(true, ["a", "b", "end"]);
  const runtime = still();
  const tcp = new TcpSocket(socket, runtime);
  const came: string[] = [];
  tcp.addEventListener("message", ({ data }) => came.push(new TextDecoder().decode(data)));
  tcp.addEventListener("close", ({ code }) => came.push(`close ${code}`));
  tcp.accept();
  await tick();
  expect([told, came]).toEqual([["read a"], ["a"]]);
  runtime.pass(0);
  await tick();
  expect([told, came]).toEqual([
    ["read a", "read b"],
    ["a", "b"],
  ]);
  runtime.pass(0);
  await tick();
  expect(came).toEqual(["a", "b", "close 1000"]);
});

test("who takes nothing of very much is cut off, once", async () => {
  const { socket, told } = rawSocket(false);
  const tcp = new TcpSocket(socket, still());
  let errors = 0;
  tcp.addEventListener("error", () => {
    errors += 1;
    tcp.close();
  });
  tcp.accept();
  const megabyte = new Uint8Array(1024 * 1024);
  for (let sent = 0; sent < TCP_UNSENT_BYTES_MAX; sent += megabyte.length) tcp.send(megabyte);
  expect(errors).toBe(0);
  tcp.send(new Uint8Array(1));
  tcp.send(megabyte);
  await tcp.over;
  expect([errors, told]).toEqual([1, ["cancelled", "closed"]]);
});

test("what waits is sent before the end; who does not take it has so long and no longer", async () => {
  const quick = rawSocket(true);
  const first = new TcpSocket(quick.socket, still());
  first.send(new Uint8Array([1]));
  first.send(new Uint8Array([2]).buffer);
  first.close();
  await first.over;
  expect([quick.taken, quick.told]).toEqual([
    [new Uint8Array([1]), new Uint8Array([2])],
    ["all sent", "cancelled", "closed"],
  ]);
  const slow = rawSocket(false);
  const runtime = still();
  const second = new TcpSocket(slow.socket, runtime);
  second.send(new Uint8Array([1]));
  second.close();
  await tick();
  expect(slow.told).toEqual([]);
  runtime.pass(TCP_LINGER_MS);
  await second.over;
  expect(slow.told).toEqual(["cancelled", "closed"]);
});

test("the address says the namespace", () => {
  const addresses = ["tenant.mqtt:1883", "tenant.mqtt", "a.b.mqtt:1", "broker:1883", "mqtt:1883", ".mqtt:1", ""];
  expect(addresses.map(namespaceOfAddress)).toEqual(["tenant", "tenant", "a.b", "default", "default", "default", "default"]);
});
