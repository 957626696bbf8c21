/** aedes over ws, in a process of its own, as its documentation sets it up. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Aedes } from "aedes";
import { createWebSocketStream, WebSocketServer } from "ws";

const aedes = await Aedes.createBroker();
const server = createServer();
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
  const stream = createWebSocketStream(socket);
  stream.on("error", () => stream.destroy());
  aedes.handle(stream);
});
server.listen(0, "127.0.0.1", 4096, () => console.log(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`));
