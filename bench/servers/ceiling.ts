/**
 * A server that knows nothing of MQTT, in Node, to show how much the load program could do: it passes frames on (mirror.ts), and those of
 * the path /discard it throws away unread.
 */

import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { Mirror } from "./mirror.ts";

const mirror = new Mirror<Socket>((socket, bytes) => {
  const extended = bytes.length < 126 ? 0 : bytes.length < 65_536 ? 2 : 8;
  const frame = Buffer.allocUnsafe(2 + extended + bytes.length);
  frame[0] = 0x82;
  frame[1] = extended === 0 ? bytes.length : extended === 2 ? 126 : 127;
  if (extended === 2) frame.writeUInt16BE(bytes.length, 2);
  else if (extended === 8) frame.writeBigUInt64BE(BigInt(bytes.length), 2);
  frame.set(bytes, 2 + extended);
  socket.write(frame);
});

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.on("close", () => mirror.leave(socket));
  let held = Buffer.alloc(0);
  let discards = false;
  let upgraded = false;
  socket.on("data", (data) => {
    if (!upgraded) {
      upgraded = true;
      const request = data.toString("latin1");
      const path = request.split(" ")[1]!;
      discards = path.startsWith("/discard");
      if (!discards) mirror.join(socket, path);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
      return;
    }
    if (discards) {
      // The only frame that is answered: CONNECT, with CONNACK.
      if ((data[6]! ^ data[2]!) >> 4 === 1) socket.write(Buffer.of(0x82, 4, 0x20, 2, 0, 0));
      return;
    }
    held = readFrames(socket, held.length === 0 ? data : Buffer.concat([held, data]));
  });
});

/** @returns what is not a whole frame yet */
function readFrames(socket: Socket, bytes: Buffer): Buffer {
  let at = 0;
  socket.cork();
  for (;;) {
    if (bytes.length - at < 6) break;
    const short = bytes[at + 1]! & 0x7f;
    const maskAt = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    if (bytes.length < maskAt + 4) break;
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    const start = maskAt + 4;
    if (bytes.length < start + length) break;
    if ((bytes[at]! & 0x0f) === 8) socket.end();
    else {
      const mask = bytes[maskAt]!;
      for (let index = start; index < start + length; index += 1) bytes[index]! ^= mask;
      mirror.receive(socket, bytes.subarray(start, start + length));
    }
    at = start + length;
  }
  socket.uncork();
  return at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at));
}

const EMPTY = Buffer.alloc(0);

server.listen(0, "127.0.0.1", 4096, () => console.log(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`));
