/** JSON, and what has its shape, as lines that can be folded; what differs from the value before is marked. */
import { useMemo, useState } from "preact/hooks";
import { type Differences, type Gone, isStructure, LEVELS_MAX, MEMBERS_SHOWN, openLevels, stepTo } from "./formats.ts";

/** That are shown when somebody asks for more. */
const MORE_MEMBERS = 1000;

interface Props {
  readonly value: unknown;
  readonly before?: Differences | undefined;
}

export function Structure({ value, before }: Props) {
  const levels = useMemo(() => openLevels(value), [value]);
  return (
    <div class="structure">
      <Member name={undefined} value={value} way="" level={0} openLevels={levels} before={before} />
    </div>
  );
}

interface MemberProps extends Props {
  readonly name: string | undefined;
  readonly way: string;
  readonly level: number;
  /** That are open where nobody has opened or shut them. */
  readonly openLevels: number;
}

function Member(props: MemberProps) {
  const { name, value, way, level, before } = props;
  const mark = markOf(way, before);
  if (isStructure(value) && level < LEVELS_MAX) return <Members {...props} value={value} mark={mark} />;
  return (
    <div class="member" data-mark={mark}>
      <Name name={name} />
      <Leaf value={value} />
      {isStructure(value) && <small> more than {LEVELS_MAX} levels: as text it is whole</small>}
      {before?.changed.has(way) && <s class="was">{textOfLeaf(before.changed.get(way))}</s>}
      {mark === "added" && <small class="mark">new</small>}
    </div>
  );
}

interface MembersProps extends MemberProps {
  readonly value: Readonly<Record<string, unknown>>;
  readonly mark: Mark;
}

/** What is below a level that is shut is not in the document: it may be a million lines. */
function Members({ name, value, way, level, openLevels, before, mark }: MembersProps) {
  const [shown, setShown] = useState(MEMBERS_SHOWN);
  /** Undefined: nobody has opened or shut it. */
  const [chosen, setChosen] = useState<boolean>();
  const isOpen = chosen ?? level < openLevels;
  const names = useMemo(() => Object.keys(value), [value]);
  const gone = before?.removed.get(way) ?? NOTHING_GONE;
  const more = names.length + gone.length - shown;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (names.length === 0 && gone.length === 0) {
    return (
      <div class="member" data-mark={mark}>
        <Name name={name} /> {open}
        {close}
      </div>
    );
  }
  return (
    <details
      class="member"
      open={isOpen}
      data-mark={mark}
      onToggle={({ currentTarget }) => currentTarget.open !== isOpen && setChosen(currentTarget.open)}
    >
      <summary>
        <Name name={name} />
        {open} <small>{names.length.toLocaleString("en")}</small> {close}
      </summary>
      {isOpen && (
        <div class="members">
          {names.slice(0, shown).map((each) => (
            <Member
              key={each}
              name={each}
              value={value[each]}
              way={stepTo(way, each)}
              level={level + 1}
              openLevels={openLevels}
              before={before}
            />
          ))}
          {gone.slice(0, Math.max(0, shown - names.length)).map(([each, old]) => (
            <div class="member" data-mark="removed" key={`gone ${each}`}>
              <Name name={each} />
              <s class="was">{textOfLeaf(old)}</s>
            </div>
          ))}
          {more > 0 && (
            <button type="button" class="link" onClick={() => setShown(shown + MORE_MEMBERS)}>
              {more.toLocaleString("en")} more
            </button>
          )}
        </div>
      )}
    </details>
  );
}

const NOTHING_GONE: readonly Gone[] = [];

function Name({ name }: { readonly name: string | undefined }) {
  return name === undefined ? null : <span class="name">{name}: </span>;
}

function Leaf({ value }: { readonly value: unknown }) {
  return <span class={`leaf ${value === null ? "null" : typeof value}`}>{textOfLeaf(value)}</span>;
}

function textOfLeaf(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return String(value);
  return typeof value === "object" && value !== null ? "…" : (JSON.stringify(value) ?? String(value));
}

type Mark = "changed" | "added" | undefined;

function markOf(way: string, before: Differences | undefined): Mark {
  if (before?.changed.has(way)) return "changed";
  return before?.added.has(way) ? "added" : undefined;
}
