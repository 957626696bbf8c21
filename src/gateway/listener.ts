/**
 * A port: takes TCP connections, asks who is at the other end (the socket, or a load balancer that is trusted), does TLS, and hands over what
 * then speaks MQTT. Nothing is read of a connection that there is no room for.
 */

import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import type { Clock } from "../client/platform.ts";
import { plainAddress } from "./address.ts";
import type { Certificates } from "./certificates.ts";
import { type NamePlace, userNameOf } from "./client-name.ts";
import type { Client } from "./connection.ts";
import type { Journal } from "./journal.ts";
import { CONNECT_MS, TCP_KEEP_ALIVE_MS, TLS_MS } from "./limits.ts";
import type { Metrics, Why } from "./metrics.ts";
import { GatewayProblem } from "./problem.ts";
import type { Proxies } from "./proxies.ts";
import { readProxyHeader } from "./proxy-header.ts";

export interface TlsOptions {
  readonly certificates: Certificates;
  /** Where authorities are given: a client without a certificate is let through, too, and the broker judges it. */
  readonly areCertificatesOptional?: boolean | undefined;
  /** Where the user's name stands in a client's certificate; without it that names nobody. */
  readonly userFrom?: NamePlace | undefined;
}

export interface ListenerOptions {
  /** An address to listen on. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tls?: TlsOptions | undefined;
  /** Each connection comes from one of these and begins with a PROXY header. */
  readonly proxies?: Proxies | undefined;
}

export interface Entrance {
  /** @returns whether there is room for one more in all; then it is counted until its socket closes */
  enter(socket: Socket): boolean;
  /** @returns whether there is room for one more of its address; then it is counted until its socket closes */
  admit(socket: Socket, address: string): boolean;
  /** MQTT begins. */
  begin(socket: Socket, client: Client): void;
}

export interface ListenerServices {
  readonly entrance: Entrance;
  readonly metrics: Metrics;
  readonly journal: Journal;
  readonly clock: Clock;
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #services: ListenerServices;
  readonly #server: Server;
  readonly #tls: TlsServer | undefined;
  /** Clients that do TLS now, by the other end of their sockets. */
  readonly #arriving = new Map<string, Client>();

  constructor(options: ListenerOptions, services: ListenerServices) {
    this.#options = options;
    this.#services = services;
    // Half-open: a client may close its side and still has to get what was sent before.
    const socketOptions = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };
    this.#server = createServer({ ...socketOptions, pauseOnConnect: options.proxies !== undefined }, (socket) => this.#accept(socket));
    this.#tls = options.tls && this.#tlsServer(options.tls);
  }

  /** @throws GatewayProblem when the port can't be had */
  async listen(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", ({ code }: NodeJS.ErrnoException) => reject(new GatewayProblem(problemOf(code, host, port))));
      this.#server.listen({ host, port }, resolve);
    });
    this.#server.on("error", ({ code }: NodeJS.ErrnoException) =>
      this.#services.journal.problem("connections can't be taken", { problem: code }),
    );
  }

  get port(): number {
    return (this.#server.address() as { readonly port: number }).port;
  }

  /** Reads certificates anew. @throws GatewayProblem, and goes on as before */
  reload(): void {
    const certificates = this.#options.tls?.certificates;
    certificates?.reload();
    if (certificates !== undefined) this.#tls?.setSecureContext(certificates.options);
  }

  /** Takes no more connections; those that there are stay. */
  close(): void {
    this.#server.close();
  }

  #accept(socket: Socket): void {
    // It is followed by "close", which does all there is to do.
    socket.on("error", () => {});
    const { proxies } = this.#options;
    const address = plainAddress(socket.remoteAddress ?? "");
    if (!this.#services.entrance.enter(socket)) this.#cut(socket, address, "full", "there are too many connections");
    else if (proxies === undefined) this.#admit(socket, { address, connectMs: CONNECT_MS });
    else if (proxies.has(address)) this.#readProxy(socket, address);
    else this.#cut(socket, address, "proxy", "it comes from none of the proxies");
  }

  #readProxy(socket: Socket, proxy: string): void {
    let bytes: Buffer = Buffer.alloc(0);
    const { clock } = this.#services;
    const began = clock.now();
    const tooLate = clock.after(CONNECT_MS, () => this.#cut(socket, proxy, "proxy", "the PROXY header did not come in time"));
    const look = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      bytes = Buffer.concat([bytes, chunk]);
      const header = readProxyHeader(bytes);
      if (header === undefined) return;
      done();
      if (typeof header === "string") {
        this.#cut(socket, proxy, "proxy", header);
        return;
      }
      const rest = bytes.subarray(header.length);
      if (rest.length > 0) socket.unshift(rest);
      this.#admit(socket, { address: plainAddress(header.address ?? proxy), connectMs: began + CONNECT_MS - clock.now() });
    };
    const done = (): void => {
      tooLate();
      socket.off("readable", look);
      socket.off("close", done);
      socket.off("end", ended);
    };
    const ended = (): void => this.#cut(socket, proxy, "proxy", "there is no PROXY header");
    socket.on("readable", look);
    socket.once("end", ended);
    socket.once("close", done);
  }

  #admit(socket: Socket, client: Client): void {
    const { address } = client;
    const { entrance, journal } = this.#services;
    if (!entrance.admit(socket, address)) {
      journal.problem("an address has too many connections", { address });
      this.#cut(socket, address, "address", "its address has too many connections");
    } else if (this.#tls === undefined) entrance.begin(socket, client);
    else this.#beginTls(socket, client, this.#tls);
  }

  #beginTls(socket: Socket, client: Client, tls: TlsServer): void {
    const end = endOf(socket);
    this.#arriving.set(end, client);
    socket.once("close", () => this.#arriving.delete(end));
    tls.emit("connection", socket);
  }

  #tlsServer({ certificates }: TlsOptions): TlsServer {
    const server = createTlsServer({
      ...certificates.options,
      allowHalfOpen: true,
      handshakeTimeout: TLS_MS,
      requestCert: certificates.asksForCertificates,
      // Who is not let in is told so, by CONNACK.
      rejectUnauthorized: false,
      SNICallback: (name, answer) => answer(null, certificates.contextFor(name)),
    });
    server.on("tlsClientError", ({ code }: NodeJS.ErrnoException, socket) => {
      this.#services.metrics.count("tls");
      const address = this.#arriving.get(endOf(socket))?.address;
      this.#services.journal.connection("cut", { address, why: `TLS: ${code ?? "it failed"}` });
      socket.destroy();
    });
    server.on("secureConnection", (socket) => this.#secured(socket));
    return server;
  }

  #secured(socket: TLSSocket): void {
    const client = this.#arriving.get(endOf(socket));
    this.#arriving.delete(endOf(socket));
    // It has gone meanwhile.
    if (client === undefined) socket.destroy();
    else this.#services.entrance.begin(socket, { ...client, ...this.#certified(socket) });
  }

  /** What a client's certificate says. */
  #certified(socket: TLSSocket): Pick<Client, "userName" | "problem"> {
    const { certificates, areCertificatesOptional = false, userFrom } = this.#options.tls!;
    if (!certificates.asksForCertificates) return {};
    if (socket.getPeerX509Certificate() === undefined) return areCertificatesOptional ? {} : { problem: "a client certificate is needed" };
    if (!socket.authorized) return { problem: `the client certificate is not accepted (${String(socket.authorizationError)})` };
    if (userFrom === undefined) return {};
    const userName = userNameOf(socket.getPeerCertificate(), userFrom);
    return userName === undefined ? { problem: "the client certificate does not name a user" } : { userName };
  }

  #cut(socket: Socket, address: string, why: Why, reason: string): void {
    this.#services.metrics.count(why);
    this.#services.journal.connection("cut", { address, why: reason });
    socket.destroy();
  }
}

/** No two connections to a port are at the same end. */
function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function problemOf(code: string | undefined, host: string, port: number): string {
  if (code === "EADDRINUSE") return `Port ${port} on ${host} is in use; choose another one.`;
  if (code === "EACCES") return `Port ${port} needs more rights than you have; choose one above 1023.`;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return `${host} is not an address of this machine.`;
  return `Port ${port} on ${host} can't be used (${code}).`;
}
