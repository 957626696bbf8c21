/** One payload, in the format that somebody chose for it, whole. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { saveAs } from "../parts/files.ts";
import { sizeText } from "../parts/numbers.ts";
import { differences, dumpOf, FORMAT_NAMES, FORMATS, type Format, formatOf, isDeep, type Read, read, textOf } from "./formats.ts";
import { Structure } from "./structure.tsx";

/** More than this is shown when somebody asks for it: laying it out takes a browser a while. */
const SHOWN_CHARACTERS = 32_768;

interface Props {
  readonly bytes: Uint8Array;
  readonly contentType?: string | undefined;
  /** The value before, to show what is different. */
  readonly before?: Uint8Array | undefined;
  /** What a file of it is called. */
  readonly fileName: string;
  readonly format: Format;
  readonly onFormat: (format: Format) => void;
}

export function Payload({ bytes, contentType, before, fileName, format, onFormat }: Props) {
  const shown = useRead(bytes, format, contentType);
  const old = useRead(before, format, contentType);
  const [isDifferent, setDifferent] = useState(true);
  const found = useMemo(() => formatOf(bytes, contentType), [bytes, contentType]);
  const canCompare = shown?.kind === "value" && old?.kind === "value";
  return (
    <section class="payload" aria-label="Value">
      <div class="bar">
        <select aria-label="Format" value={format} onChange={({ currentTarget }) => onFormat(currentTarget.value as Format)}>
          {FORMATS.map((each) => (
            <option key={each} value={each}>
              {each === "auto" ? `${FORMAT_NAMES.auto} (${FORMAT_NAMES[found]})` : FORMAT_NAMES[each]}
            </option>
          ))}
        </select>
        {canCompare && (
          <label class="check">
            <input type="checkbox" checked={isDifferent} onChange={({ currentTarget }) => setDifferent(currentTarget.checked)} />
            Differences
          </label>
        )}
        <span class="quiet">{sizeText(bytes.length)}</span>
        <span class="gap" />
        <button type="button" onClick={() => navigator.clipboard?.writeText(textForCopy(shown, bytes))}>
          Copy
        </button>
        <button type="button" onClick={() => saveAs(fileName, [bytes])}>
          Save
        </button>
      </div>
      <Shown shown={shown} old={canCompare && isDifferent ? old : undefined} />
    </section>
  );
}

function useRead(bytes: Uint8Array | undefined, format: Format, contentType: string | undefined): Read | undefined {
  const [done, setDone] = useState<Read>();
  useEffect(() => {
    let isCurrent = true;
    if (bytes === undefined) setDone(undefined);
    else void read(bytes, format, contentType).then((made) => isCurrent && setDone(made));
    return () => {
      isCurrent = false;
    };
  }, [bytes, format, contentType]);
  return done;
}

function Shown({ shown, old }: { readonly shown: Read | undefined; readonly old: Read | undefined }) {
  switch (shown?.kind) {
    case undefined:
      return <pre class="text" />;
    case "empty":
      return <p class="quiet">Empty</p>;
    case "wrong":
      return (
        <p class="problem" role="alert">
          {shown.problem}
        </p>
      );
    case "number":
      return <p class="figure">{String(shown.value)}</p>;
    case "value":
      return <Compared value={shown.value} old={old?.kind === "value" ? old : undefined} />;
    case "text":
      return <Long text={shown.text} />;
    case "bytes":
      return <Dump bytes={shown.bytes} />;
  }
}

function Compared({ value, old }: { readonly value: unknown; readonly old: { readonly value: unknown } | undefined }) {
  const before = useMemo(() => old && differences(old.value, value), [old, value]);
  return <Structure value={value} before={before} />;
}

function Long({ text }: { readonly text: string }) {
  const [isWhole, setWhole] = useState(false);
  return (
    <>
      <pre class="text">{isWhole ? text : text.slice(0, SHOWN_CHARACTERS)}</pre>
      {!isWhole && text.length > SHOWN_CHARACTERS && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {text.length.toLocaleString("en")} characters
        </button>
      )}
    </>
  );
}

function Dump({ bytes }: { readonly bytes: Uint8Array }) {
  const [isWhole, setWhole] = useState(false);
  const most = SHOWN_CHARACTERS / 4;
  return (
    <>
      <pre class="dump">{dumpOf(isWhole ? bytes : bytes.subarray(0, most))}</pre>
      {!isWhole && bytes.length > most && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {sizeText(bytes.length)}
        </button>
      )}
    </>
  );
}

function textForCopy(shown: Read | undefined, bytes: Uint8Array): string {
  if (shown?.kind === "bytes") return dumpOf(bytes);
  if (shown?.kind !== "value") return new TextDecoder().decode(bytes);
  if (isDeep(shown.value)) return textOf(bytes) ?? dumpOf(bytes);
  return JSON.stringify(shown.value, (_, value) => (typeof value === "bigint" ? String(value) : value), 2);
}
