/**
 * Finds objects that have died with connections. When a commit fails, workerd resets the object without a word, and in some cases (seen
 * 2026-11, on a full disk) leaves its sockets open and silent for ever: nothing that is sent there is read, and nothing is closed. The
 * next life of the object has none of these sockets, by which it is told. Who finds one has to start the runtime again.
 */

/** Objects that are asked in one round; others wait for the next. */
const ASKED_MAX = 100;

/** How long an object may take to answer; one that is restored reads all that it has. */
const ANSWER_MS_MAX = 30_000;

/** An object loses its memory in an orderly way only when nothing has happened for ten seconds. */
const AWAKE_MS_MIN = 8000;

/** One life of an object, which tells what happens in it. */
export class Life {
  readonly name: string;
  sockets: number;
  /** Something happened there since it was last asked. */
  isUsed = true;
  /** Milliseconds since the epoch. */
  usedAt = Date.now();
  /** The life before it may have ended with its connections. */
  inDoubt: boolean;
  readonly #lost: Set<string>;

  constructor(name: string, sockets: number, before: Life | undefined, lost: Set<string>) {
    this.name = name;
    this.sockets = sockets;
    this.#lost = lost;
    this.inDoubt = before !== undefined && before.sockets > 0 && sockets === 0 && this.usedAt - before.usedAt < AWAKE_MS_MIN;
  }

  /** Something comes for it that is not the end of a socket. */
  called(): void {
    if (this.inDoubt) this.#lost.add(this.name);
    this.#used();
  }

  /** A socket ended. One that slept may be woken by the end of the last one that it has. */
  ended(): void {
    this.sockets = Math.max(0, this.sockets - 1);
    this.#used();
  }

  #used(): void {
    this.inDoubt = false;
    this.isUsed = true;
    this.usedAt = Date.now();
  }
}

export class Lives {
  readonly #lives = new Map<string, Life>();
  readonly #lost = new Set<string>();

  /** An object begins to live, or to live again. */
  begin(ctx: DurableObjectState): Life {
    const name = ctx.id.name!;
    const life = new Life(name, ctx.getWebSockets().length, this.#lives.get(name), this.#lost);
    this.#lives.set(name, life);
    // Of a reset that the object itself asks for workerd closes the sockets.
    const abort = ctx.abort.bind(ctx);
    ctx.abort = (reason?: string) => {
      this.#lives.delete(name);
      abort(reason);
    };
    return life;
  }

  /**
   * Asks objects that have sockets and were used since the last time; a dead one begins a new life by that.
   * @param ask an object, by its name
   * @returns those that lost their connections, or do not answer
   */
  async ask(ask: (name: string) => Promise<unknown>): Promise<string[]> {
    const used = [...this.#lives.values()].filter(({ sockets, isUsed, inDoubt }) => inDoubt || (sockets > 0 && isUsed)).slice(0, ASKED_MAX);
    await Promise.all(
      used.map(async (life) => {
        life.isUsed = false;
        if (!(await answers(ask(life.name)))) this.#lost.add(life.name);
      }),
    );
    const lost = [...this.#lost];
    this.#lost.clear();
    return lost;
  }
}

async function answers(answer: Promise<unknown>): Promise<boolean> {
  const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), ANSWER_MS_MAX));
  return Promise.race([answer.then(() => true), late]).catch(() => false);
}
