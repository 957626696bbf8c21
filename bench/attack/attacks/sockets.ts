/** Attacks by sockets that say nothing, too little or the wrong thing, and by ones that never let go. */

import { connect, type Socket } from "node:net";
import { PINGREQ } from "../../../src/mqtt/packet.ts";
import { publishPacket } from "../../../test/support/mqtt-client.ts";
import { frame, masked } from "../../load/frames.ts";
import type { Attack } from "../attack.ts";
import { connectBytes, encode, urlOf } from "../client.ts";
import type { Field, Standing } from "../field.ts";
import type { Target } from "../options.ts";

/** After the broker has ended a connection that never began, its memory may take so long to be back. */
const CONNECT_SECONDS = 12;

const SILENT: Attack = {
  key: "silent-sockets",
  title: "100 sockets a second that are opened and say nothing",
  stays: true,
  restSeconds: CONNECT_SECONDS,
  run: (field) =>
    field.rate(100, async (index) => {
      if ((await field.open(`silent-${index}`)) !== undefined) field.count += 1;
    }),
};

const UNFINISHED: Attack = {
  key: "unfinished-connects",
  title: "100 sockets a second that send half of a CONNECT",
  stays: true,
  restSeconds: CONNECT_SECONDS,
  run: (field) =>
    field.rate(100, async (index) => {
      const clientId = `unfinished-${index}`;
      const client = await field.open(clientId);
      if (client === undefined) return;
      const bytes = connectBytes({ clientId });
      client.send(bytes.subarray(0, bytes.length >> 1));
      field.count += 1;
    }),
};

const TRICKLED = 200;

/** Its clients are there before it begins: how many may connect at once is looked at by `storm`. */
function trickle(): Attack {
  let clients: readonly Standing[] = [];
  return {
    key: "trickle",
    title: "200 clients that send a PUBLISH one byte at a time, 4 a second each",
    prepare: (field) => {
      clients = Array.from({ length: TRICKLED }, (_, index) => field.stand({ clientId: `trickle-${index}` }));
      return Promise.all(clients.map(({ arrived }) => arrived));
    },
    run: async (field) => {
      const bytes = encode(publishPacket("trickle", new Uint8Array(20_000)));
      const sent = new Array<number>(TRICKLED).fill(0);
      await field.rate(TRICKLED * 4, (index) => {
        const which = index % TRICKLED;
        const at = sent[which]!;
        if (!clients[which]!.client?.send(bytes.subarray(at, at + 1))) return;
        sent[which] = at + 1;
        field.count += 1;
      });
    },
  };
}

const PINGED_TOGETHER = 400;

const PINGS: Attack = {
  key: "pings",
  title: "a client that sends PINGREQ without end, 400 in a frame, 100 frames a second",
  run: (field) => {
    const standing = field.stand({ clientId: field.near("pinger") });
    const bytes = Buffer.alloc(2 * PINGED_TOGETHER, encode({ type: PINGREQ }));
    return field.rate(100, () => {
      if (standing.client?.send(bytes)) field.count += PINGED_TOGETHER;
    });
  },
};

const BAD: Attack = {
  key: "bad-packets",
  title: "100 clients a second that connect and send a Malformed Packet",
  run: (field) =>
    field.rate(100, async (index) => {
      const client = await field.connect({ clientId: `bad-${index}` });
      if (client === undefined) return;
      // SUBSCRIBE with wrong reserved bits, and nothing in it.
      client.send(Uint8Array.of(0x80, 0));
      field.count += 1;
      await client.closed;
    }),
};

/** A WebSocket by hand, as those of `ws` answer a Close frame by themselves. */
async function upgrade(target: Target, clientId: string): Promise<Socket | undefined> {
  const { hostname, port, pathname, search } = new URL(urlOf(target, clientId));
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on("error", () => {});
  socket.write(
    `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
  );
  const answer = await new Promise<string>((resolve) => {
    socket.once("data", (data: Buffer) => resolve(data.toString("latin1")));
    socket.once("close", () => resolve(""));
  });
  return answer.startsWith("HTTP/1.1 101") ? socket : undefined;
}

const UNANSWERED: Attack = {
  key: "unanswered-closes",
  title: "50 clients a second that are disconnected for a Malformed Packet and never answer the Close frame",
  stays: true,
  run: (field: Field) =>
    field.rate(50, async (index) => {
      const socket = await upgrade(field.target, `unanswered-${index}`);
      if (socket === undefined) return;
      socket.write(frame([masked(Uint8Array.of(0x80, 0))]));
      field.count += 1;
    }),
};

export const SOCKET_ATTACKS = [SILENT, UNFINISHED, UNANSWERED, trickle(), PINGS, BAD];
