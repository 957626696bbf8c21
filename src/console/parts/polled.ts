/** An answer of the HTTP API that is asked for again and again while it is looked at. */
import { useEffect, useState } from "preact/hooks";
import { ApiProblem } from "../session/api.ts";

export interface Polled<Answer> {
  /** The last one that came; it stays while the next is asked for, and when that fails. */
  readonly answer: Answer | undefined;
  readonly error: unknown;
  readonly again: () => void;
}

interface Known<Answer> {
  readonly inputs: readonly unknown[];
  readonly answer: Answer | undefined;
  readonly error: unknown;
}

const NOTHING = { answer: undefined, error: undefined };

function isOf({ inputs }: Known<unknown>, now: readonly unknown[]): boolean {
  return inputs.every((each, index) => each === now[index]);
}

/**
 * @param ask is asked at once, and whenever `inputs` change: then what was answered before is of something else, and there is no answer
 * @param everyMs 0: only once; a page that is not seen asks nothing again, and a token that is refused is not shown again: the broker counts guesses
 * @param signs when they change it is asked again, too, about the same
 */
export function usePolled<Answer>(
  ask: (signal: AbortSignal) => Promise<Answer>,
  inputs: readonly unknown[],
  everyMs = 0,
  signs: readonly unknown[] = [],
): Polled<Answer> {
  const [state, setState] = useState<Known<Answer>>({ inputs, ...NOTHING });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const gone = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isRefused = false;
    const run = async (): Promise<void> => {
      if (!document.hidden || everyMs === 0) {
        try {
          const answer = await ask(gone.signal);
          if (!gone.signal.aborted) setState({ inputs, answer, error: undefined });
        } catch (error) {
          isRefused = error instanceof ApiProblem && error.isOfToken;
          if (!gone.signal.aborted) setState((before) => ({ ...(isOf(before, inputs) ? before : { inputs, ...NOTHING }), error }));
        }
      }
      if (everyMs > 0 && !isRefused && !gone.signal.aborted) timer = setTimeout(run, everyMs);
    };
    void run();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [...inputs, ...signs, turn, everyMs]);
  const { answer, error } = isOf(state, inputs) ? state : NOTHING;
  return { answer, error, again: () => setTurn((before) => before + 1) };
}
