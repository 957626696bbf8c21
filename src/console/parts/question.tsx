/** A question before something that can't be undone, and short words about what was done. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

interface Question {
  readonly title: string;
  readonly text: string;
  /** What the button says that does it. */
  readonly act: string;
  readonly answer: (isYes: boolean) => void;
}

const question = signal<Question | undefined>(undefined);
const said = signal<{ readonly text: string; readonly isBad: boolean } | undefined>(undefined);
const SAID_MS = 5000;
let timer: ReturnType<typeof setTimeout> | undefined;

/** @returns whether somebody wants it */
export function asked(title: string, text: string, act: string): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = { title, text, act, answer: resolve };
  });
}

/** Says for some seconds what became of something. */
export function say(text: string, isBad = false): void {
  said.value = { text, isBad };
  clearTimeout(timer);
  timer = setTimeout(() => {
    said.value = undefined;
  }, SAID_MS);
}

/** Stands once in the page. */
export function Questions() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = question.value;
  useEffect(() => {
    if (open !== undefined) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const answer = (isYes: boolean): void => {
    question.value = undefined;
    open?.answer(isYes);
  };
  return (
    <>
      <dialog ref={dialog} class="question" aria-labelledby="question-title" onCancel={() => answer(false)}>
        <h2 id="question-title">{open?.title}</h2>
        <p>{open?.text}</p>
        <div class="buttons">
          <button type="button" onClick={() => answer(false)}>
            Cancel
          </button>
          <button type="button" class="danger" onClick={() => answer(true)}>
            {open?.act}
          </button>
        </div>
      </dialog>
      <div class="said" role="status" data-bad={said.value?.isBad}>
        {said.value?.text}
      </div>
    </>
  );
}
