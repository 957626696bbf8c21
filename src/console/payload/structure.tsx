/** JSON, and what has its shape, as lines that can be folded; what differs from the value before is marked. */
import { useState } from "preact/hooks";
import { type Differences, isStructure, stepTo } from "./formats.ts";

/** Members that are shown of one structure before somebody asks for more. */
const MEMBERS_SHOWN = 100;
/** Levels that are open at first. */
const OPEN_LEVELS = 3;

interface Props {
  readonly value: unknown;
  readonly before?: Differences | undefined;
}

export function Structure({ value, before }: Props) {
  return (
    <div class="structure">
      <Member name={undefined} value={value} way="" level={0} before={before} />
    </div>
  );
}

interface MemberProps extends Props {
  readonly name: string | undefined;
  readonly way: string;
  readonly level: number;
}

function Member({ name, value, way, level, before }: MemberProps) {
  const [shown, setShown] = useState(MEMBERS_SHOWN);
  const mark = markOf(way, before);
  if (!isStructure(value)) {
    return (
      <div class="member" data-mark={mark}>
        <Name name={name} />
        <Leaf value={value} />
        {before?.changed.has(way) && <s class="was">{textOfLeaf(before.changed.get(way))}</s>}
        {mark === "added" && <small class="mark">new</small>}
      </div>
    );
  }
  const members = Object.entries(value);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (members.length === 0) {
    return (
      <div class="member" data-mark={mark}>
        <Name name={name} /> {open}
        {close}
      </div>
    );
  }
  return (
    <details class="member" open={level < OPEN_LEVELS} data-mark={mark}>
      <summary>
        <Name name={name} />
        {open} <small>{members.length.toLocaleString("en")}</small> {close}
      </summary>
      <div class="members">
        {members.slice(0, shown).map(([each, member]) => (
          <Member key={each} name={each} value={member} way={stepTo(way, each)} level={level + 1} before={before} />
        ))}
        {members.length > shown && (
          <button type="button" class="link" onClick={() => setShown(shown * 10)}>
            {(members.length - shown).toLocaleString("en")} more
          </button>
        )}
        {goneBelow(way, before).map(([each, old]) => (
          <div class="member" data-mark="removed" key={`gone ${each}`}>
            <Name name={each} />
            <s class="was">{textOfLeaf(old)}</s>
          </div>
        ))}
      </div>
    </details>
  );
}

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

function markOf(way: string, before: Differences | undefined): "changed" | "added" | undefined {
  if (before?.changed.has(way)) return "changed";
  return before?.added.has(way) ? "added" : undefined;
}

function goneBelow(way: string, before: Differences | undefined): (readonly [name: string, value: unknown])[] {
  if (before === undefined || before.removed.size === 0) return [];
  return [...before.removed]
    .filter(([each]) => each.startsWith(`${way}/`) && !each.slice(way.length + 1).includes("/"))
    .map(([each, value]) => [
      each
        .slice(way.length + 1)
        .replaceAll("~1", "/")
        .replaceAll("~0", "~"),
      value,
    ]);
}
