/**
 * What is left of a broker without MQTT: frames of a publisher go to its subscribers as they are, and a subscriber's answers go back to
 * the publisher whose frame they answer. So the same frames come and go as with a broker at every QoS, and nobody looks into them.
 * The floor (in a bare Durable Object) and the ceiling of the load program (in Node) are measured with it.
 */

const CONNECT = 1;
const SUBSCRIBE = 8;
const DISCONNECT = 14;

interface Party<Socket> {
  readonly socket: Socket;
  readonly role: "publisher" | "subscriber" | "other";
  /** Where its frames go. */
  targets: Party<Socket>[];
  /** Of a subscriber: whose frames it will answer, in order. */
  origins: Party<Socket>[];
  nextOrigin: number;
}

export class Mirror<Socket> {
  readonly #send: (socket: Socket, bytes: Uint8Array) => void;
  readonly #parties = new Map<string, Party<Socket>>();
  readonly #bySocket = new Map<Socket, Party<Socket>>();

  constructor(send: (socket: Socket, bytes: Uint8Array) => void) {
    this.#send = send;
  }

  /** @param url of the upgrade: `/pairs` or `/all`, and the Client Identifier, which tells the role and the number */
  join(socket: Socket, url: string): void {
    const { pathname, searchParams } = new URL(url, "http://mirror");
    const id = searchParams.get("clientId") ?? "";
    const [role, number] = id.split("-");
    const known = role === "publisher" || role === "subscriber" ? role : "other";
    const party: Party<Socket> = { socket, role: known, targets: [], origins: [], nextOrigin: 0 };
    this.#bySocket.set(socket, party);
    if (known === "other") return;
    this.#parties.set(id, party);
    if (known !== "publisher") return;
    const pair = this.#parties.get(`subscriber-${number}`);
    if (pathname === "/all") party.targets = [...this.#parties.values()].filter((each) => each.role === "subscriber");
    else if (pair !== undefined) party.targets = [pair];
  }

  leave(socket: Socket): void {
    const party = this.#bySocket.get(socket);
    this.#bySocket.delete(socket);
    for (const [id, each] of this.#parties) if (each === party) this.#parties.delete(id);
  }

  receive(socket: Socket, bytes: Uint8Array): void {
    const party = this.#bySocket.get(socket);
    if (party === undefined) return;
    const type = bytes[0]! >> 4;
    if (type === CONNECT) this.#send(socket, bytes[8] === 5 ? CONNACK_5 : CONNACK_4);
    else if (type === SUBSCRIBE) this.#send(socket, Uint8Array.of(0x90, 3, bytes[2]!, bytes[3]!, 0));
    else if (type === DISCONNECT) return;
    else if (party.role === "publisher") this.#forward(party, bytes);
    else if (party.role === "subscriber") this.#answer(party, bytes);
  }

  #forward(publisher: Party<Socket>, bytes: Uint8Array): void {
    const willBeAnswered = bytes[0]! >> 4 !== 3 || (bytes[0]! & 6) !== 0;
    // One answer of all is enough for the publisher.
    if (willBeAnswered) publisher.targets[0]?.origins.push(publisher);
    for (const { socket } of publisher.targets) this.#send(socket, bytes);
  }

  #answer(subscriber: Party<Socket>, bytes: Uint8Array): void {
    const origin = subscriber.origins[subscriber.nextOrigin];
    if (origin === undefined) return;
    this.#send(origin.socket, bytes);
    subscriber.nextOrigin += 1;
    if (subscriber.nextOrigin < 10_000) return;
    subscriber.origins = subscriber.origins.slice(subscriber.nextOrigin);
    subscriber.nextOrigin = 0;
  }
}

const CONNACK_4 = Uint8Array.of(0x20, 2, 0, 0);
const CONNACK_5 = Uint8Array.of(0x20, 3, 0, 0, 0);
