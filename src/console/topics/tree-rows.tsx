/** The rows of the tree: those that are seen, drawn at most once a frame. By arrow keys as trees are. */
import { useMemo } from "preact/hooks";
import { isNarrow } from "../parts/narrow.ts";
import { countText, rateText } from "../parts/numbers.ts";
import { Rows } from "../parts/rows.tsx";
import { lineOf } from "../payload/formats.ts";
import type { TopicNode } from "./tree.ts";
import { watch } from "./watch.ts";

/** Pixels; a finger needs more than a mouse. */
const ROW_HEIGHT = 26;
const TOUCHED_HEIGHT = 38;
/** Below it there is nothing to see of a rate. */
const RATE_LEAST = 0.05;

export function Tree() {
  watch.frame.value;
  const { tree } = watch;
  const { shape } = tree;
  const rows = useMemo(() => tree.rows(), [shape]);
  const selected = watch.selected.value;
  const at = useMemo(() => (selected === undefined ? -1 : rows.findIndex(({ topic }) => topic === selected)), [rows, selected]);
  const now = Date.now();

  const choose = (index: number): void => {
    const node = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (node !== undefined) watch.look(node.topic);
  };
  const toggle = (node: TopicNode, isOpen?: boolean): void => {
    tree.toggle(node, isOpen);
    watch.drawn();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const node = rows[at];
    const page = 20;
    const steps: Record<string, () => void> = {
      ArrowDown: () => choose(at + 1),
      ArrowUp: () => choose(at - 1),
      PageDown: () => choose(at + page),
      PageUp: () => choose(at - page),
      Home: () => choose(0),
      End: () => choose(rows.length - 1),
      ArrowRight: () => {
        if (node?.hasChildren && !node.isOpen) toggle(node, true);
        else if (node?.hasChildren) choose(at + 1);
      },
      ArrowLeft: () => {
        if (node?.hasChildren && node.isOpen) toggle(node, false);
        else if (node?.parent?.parent !== undefined) watch.look(node.parent.topic);
      },
      Enter: () => node?.hasChildren && toggle(node),
      " ": () => node?.hasChildren && toggle(node),
    };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    step();
  };

  if (rows.length === 0) return <Nothing />;
  return (
    <Rows
      class="tree"
      role="tree"
      aria-label="Topics"
      tabIndex={0}
      aria-activedescendant={at < 0 ? undefined : `row-${at}`}
      onKeyDown={onKeyDown}
      count={rows.length}
      rowHeight={isNarrow.value ? TOUCHED_HEIGHT : ROW_HEIGHT}
      seen={at < 0 ? undefined : at}
      row={(index) => (
        <Row key={rows[index]!.topic} node={rows[index]!} index={index} isChosen={index === at} now={now} onToggle={toggle} />
      )}
    />
  );
}

interface RowProps {
  readonly node: TopicNode;
  readonly index: number;
  readonly isChosen: boolean;
  readonly now: number;
  readonly onToggle: (node: TopicNode) => void;
}

/** Where there is room for one thing, a level opens before it is looked at. */
function opensFirst(node: TopicNode, isOpen: boolean): boolean {
  return isNarrow.value && node.hasChildren && !isOpen && node.value === undefined;
}

function Row({ node, index, isChosen, now, onToggle }: RowProps) {
  const isOpen = node.isOpen || watch.tree.finds !== undefined;
  const rate = node.rate(now);
  const payload = node.value?.payload;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus, and names this row as the active one
    <div
      id={`row-${index}`}
      role="treeitem"
      class="row"
      aria-level={node.depth + 1}
      aria-selected={isChosen}
      aria-expanded={node.hasChildren ? isOpen : undefined}
      onClick={({ target }) => {
        const isTwist = node.hasChildren && (target as Element).className === "twist";
        if (isTwist || opensFirst(node, isOpen)) onToggle(node);
        else watch.look(node.topic);
      }}
      onDblClick={() => node.hasChildren && onToggle(node)}
      style={{ paddingInlineStart: `${node.depth * 14 + 4}px`, height: `${isNarrow.value ? TOUCHED_HEIGHT : ROW_HEIGHT}px` }}
    >
      <span class="twist" aria-hidden="true">
        {node.hasChildren ? (isOpen ? "▾" : "▸") : ""}
      </span>
      <span class="unseen">{node.topic}</span>
      <span class="name" aria-hidden="true">
        {node.name === "" ? "(empty)" : node.name}
      </span>
      {node.isRetained && (
        <span class="kept" title="The broker keeps the last message of it (retained)">
          R
        </span>
      )}
      <span class="value">{payload === undefined ? (node.value === undefined ? "" : "(not kept)") : lineOf(payload, 90)}</span>
      {node.topicsBelow > 0 && <span class="below">{countText(node.topicsBelow)}</span>}
      <span class="rate">{rate < RATE_LEAST ? "" : rateText(rate)}</span>
      <span class="total">{countText(node.total)}</span>
    </div>
  );
}

function Nothing() {
  const state = watch.link.state.value;
  const { finds } = watch.tree;
  if (finds !== undefined) return <p class="nothing">No topic that was seen has that in its name.</p>;
  if (state.kind === "opening") return <p class="nothing">Connecting …</p>;
  if (state.kind === "open")
    return <p class="nothing">No message has come yet. Topics appear here with their first message, and retained ones at once.</p>;
  return <p class="nothing">Not connected.</p>;
}
