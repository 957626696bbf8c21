/** `/metrics` for Prometheus and `/health` for whoever restarts what does not answer, over plain HTTP: on an address that strangers can't reach. */

import { createServer, type Server } from "node:http";
import { GatewayProblem } from "./problem.ts";

/**
 * @param text of the metrics, as they are now
 * @throws GatewayProblem when the port can't be had
 */
export async function serveMetrics(host: string, port: number, text: () => string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url?.split("?", 1)[0];
    const body = path === "/metrics" ? text() : path === "/health" ? "ok\n" : undefined;
    const type = path === "/metrics" ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain; charset=utf-8";
    response.writeHead(body === undefined ? 404 : 200, { "Content-Type": type, "X-Content-Type-Options": "nosniff" });
    response.end(body ?? "There is /metrics and /health here.\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", ({ code }: NodeJS.ErrnoException) =>
      reject(new GatewayProblem(`Metrics can't be served on ${host}:${port} (${code}).`)),
    );
    server.listen({ host, port }, resolve);
  });
  return server;
}
