/** The rows of a directory in memory, for tests: the same answers as those of SQLite. */

import type { Ban, BanKind } from "../directory/bans.ts";
import type { Presence } from "../directory/news.ts";
import type { BanRow, ChangeRow, DirectoryState, DirectoryStore, Round, UntoldRow, UserRow } from "../directory/ports.ts";
import { compareTopics } from "../topic/order.ts";

export class MemoryDirectoryStore implements DirectoryStore {
  #state: DirectoryState | undefined;
  readonly #users = new Map<string, UserRow>();
  readonly #bans = new Map<string, BanRow>();
  readonly #changes = new Map<string, ChangeRow>();
  readonly #untold = new Map<string, UntoldRow>();
  readonly #presences = new Map<string, Presence>();
  #round: Round | undefined;

  state(): DirectoryState | undefined {
    return this.#state;
  }

  putState(state: DirectoryState): void {
    this.#state = state;
  }

  user(name: string): UserRow | undefined {
    return this.#users.get(name);
  }

  users(after: string, most: number): UserRow[] {
    return this.#inOrder.filter(({ user }) => compareTopics(user, after) > 0).slice(0, most);
  }

  usersFrom(place: number, most: number): UserRow[] {
    return this.#inOrder.slice(place, place + most);
  }

  get #inOrder(): UserRow[] {
    return [...this.#users.values()].sort((one, other) => compareTopics(one.user, other.user));
  }

  countUsers(): number {
    return this.#users.size;
  }

  putUser(row: UserRow): void {
    this.#users.set(row.user, row);
  }

  deleteUser(name: string): boolean {
    return this.#users.delete(name);
  }

  bans(): BanRow[] {
    return [...this.#bans.values()];
  }

  putBan(ban: Ban): void {
    this.#bans.set(`${ban.kind} ${ban.who}`, ban);
  }

  deleteBan(kind: BanKind, who: string): boolean {
    return this.#bans.delete(`${kind} ${who}`);
  }

  changesSince(version: number, user: string, most: number): ChangeRow[] {
    return this.#changesBehind(user, (change) => change.version > version).slice(0, most);
  }

  changesAfter(at: number, user: string, most: number): ChangeRow[] {
    return this.#changesBehind(user, (change) => change.at > at).slice(0, most);
  }

  #changesBehind(user: string, isSought: (change: ChangeRow) => boolean): ChangeRow[] {
    const users = firstBehind(user, this.#changes, this.#changes.size);
    return users.map((each) => this.#changes.get(each)!).filter(isSought);
  }

  change(user: string): ChangeRow | undefined {
    return this.#changes.get(user);
  }

  firstChangeAt(): number | undefined {
    return this.#changes.size === 0 ? undefined : Math.min(...[...this.#changes.values()].map(({ at }) => at));
  }

  putChange(row: ChangeRow): void {
    this.#changes.set(row.user, row);
  }

  deleteChanges(before: number): void {
    for (const { user, at } of [...this.#changes.values()]) if (at < before) this.#changes.delete(user);
  }

  hasUntold(): boolean {
    return this.#untold.size > 0;
  }

  untoldOf(object: string): UntoldRow | undefined {
    return this.#untold.get(object);
  }

  untoldAfter(object: string, most: number): string[] {
    return firstBehind(object, this.#untold, most);
  }

  putUntold(row: UntoldRow): void {
    this.#untold.set(row.object, row);
  }

  deleteUntold(object: string): void {
    this.#untold.delete(object);
  }

  presence(object: string): Presence | undefined {
    return this.#presences.get(object);
  }

  presencesAfter(object: string, most: number): Presence[] {
    return this.presentAfter(object, most).map((each) => this.#presences.get(each)!);
  }

  presentAfter(object: string, most: number): string[] {
    return firstBehind(object, this.#presences, most);
  }

  objectsOf(users: readonly string[]): string[] {
    const concerned = [...this.#presences.values()].filter(({ userName }) => userName !== undefined && users.includes(userName));
    return concerned.map(({ object }) => object);
  }

  putPresence(presence: Presence): void {
    this.#presences.set(presence.object, presence);
  }

  deletePresence(object: string): void {
    this.#presences.delete(object);
  }

  round(): Round | undefined {
    return this.#round;
  }

  putRound(round: Round): void {
    this.#round = round;
  }
}

function firstBehind(object: string, among: ReadonlyMap<string, unknown>, most: number): string[] {
  const behind = [...among.keys()].filter((each) => compareTopics(each, object) > 0);
  return behind.sort(compareTopics).slice(0, most);
}
