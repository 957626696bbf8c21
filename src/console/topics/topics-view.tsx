/** The topics of the broker, live: on the left all of them as a tree, on the right the one that is looked at. */
import { useComputed } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { chosenFile } from "../parts/files.ts";
import { Notice } from "../parts/notice.tsx";
import { countText, rateText } from "../parts/numbers.ts";
import { SearchField } from "../parts/search-field.tsx";
import { link } from "../session/session.ts";
import { Pins } from "./pins.tsx";
import { importLines } from "./subtree.ts";
import { TopicDetail } from "./topic-detail.tsx";
import { Tree } from "./tree-rows.tsx";
import { watch } from "./watch.ts";

export function TopicsView() {
  useEffect(() => watch.start(), []);
  const selected = watch.selected.value;
  return (
    <div class="split" data-detail={selected === undefined ? undefined : "open"}>
      <section class="pane" aria-label="Topics">
        <Filters />
        <Search />
        <Problems />
        <Pins />
        <Tree />
        <Foot />
      </section>
      <section class="pane detail" aria-label="Topic">
        {selected === undefined ? (
          <p class="nothing">Choose a topic to see its value, its history, and to publish to it.</p>
        ) : (
          <TopicDetail key={selected} topic={selected} />
        )}
      </section>
    </div>
  );
}

function Filters() {
  const [text, setText] = useState("");
  const filters = watch.filters.value;
  const add = (event: Event): void => {
    event.preventDefault();
    const filter = text.trim();
    if (filter !== "" && !filters.includes(filter)) watch.filters.value = [...filters, filter];
    setText("");
  };
  return (
    <form class="bar filters" onSubmit={add}>
      <ul class="chips" aria-label="Watched filters">
        {filters.map((filter) => (
          <li
            key={filter}
            data-bad={watch.refused.value.has(filter)}
            aria-busy={watch.isUnderWay && !watch.granted.value.has(filter) && !watch.refused.value.has(filter)}
          >
            <code>{filter}</code>
            <button
              type="button"
              class="plain"
              aria-label={`Stop watching ${filter}`}
              onClick={() => {
                watch.filters.value = filters.filter((each) => each !== filter);
              }}
            >
              ×
            </button>
          </li>
        ))}
      </ul>
      <input
        class="grow"
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
        placeholder="Watch a filter, such as home/# or $SYS/#"
        aria-label="Watch a topic filter"
        autocapitalize="off"
        autocomplete="off"
        spellcheck={false}
      />
    </form>
  );
}

function Search() {
  const isPaused = watch.isPaused.value;
  return (
    <div class="bar">
      <SearchField label="Search topics" value={watch.searched.value} onSearch={(text) => watch.search(text)} />
      <Finds />
      <button type="button" aria-pressed={isPaused} onClick={() => watch.pause(!isPaused)}>
        {isPaused ? "Go on" : "Pause"}
      </button>
      <Menu />
    </div>
  );
}

function Finds() {
  watch.moment.value;
  const { finds } = watch.tree;
  return finds === undefined ? null : (
    <span class="quiet" role="status">
      {countText(finds)} found
    </span>
  );
}

function Menu() {
  const close = (act: () => void) => (event: Event) => {
    (event.currentTarget as HTMLElement).closest<HTMLElement>("[popover]")?.hidePopover();
    act();
  };
  const all = (isOpen: boolean): void => {
    watch.tree.toggleBelow(watch.tree.root, isOpen);
    watch.drawn();
  };
  return (
    <>
      <button type="button" popovertarget="topics-menu" aria-label="More about topics">
        ⋯
      </button>
      <div id="topics-menu" popover="auto" class="menu">
        <button type="button" onClick={close(() => all(true))}>
          Open all levels
        </button>
        <button type="button" onClick={close(() => all(false))}>
          Shut all levels
        </button>
        <button type="button" onClick={close(() => watch.clear())}>
          Forget what was seen
        </button>
        <button
          type="button"
          onClick={close(async () => {
            const file = await chosenFile(".ndjson,.jsonl,.json");
            if (file !== undefined) await importLines(file);
          })}
        >
          Publish a file of retained messages (NDJSON) …
        </button>
      </div>
    </>
  );
}

function Problems() {
  const state = watch.link.state.value;
  // What is said above all views need not be said again.
  if (link.state.value.kind !== "open") return null;
  if (state.kind === "away") return <Notice kind="away">{state.problem} It is tried again.</Notice>;
  if (state.kind === "closed" && state.problem !== undefined)
    return (
      <Notice kind="bad">
        {state.problem}{" "}
        <button type="button" onClick={() => watch.again()}>
          Watch again
        </button>
      </Notice>
    );
  const refused = [...watch.refused.value];
  return refused.length === 0 ? null : (
    <Notice kind="bad">
      {refused.map(([filter, problem]) => (
        <div key={filter}>
          <code>{filter}</code> is not watched. {problem} Remove it, or sign in as somebody who may subscribe to it.
        </div>
      ))}
    </Notice>
  );
}

/** How much there is, and comes. */
function Foot() {
  const text = useComputed(() => {
    watch.moment.value;
    const { tree } = watch;
    const held = watch.isPaused.value ? `, ${countText(watch.held)} more since it is paused` : "";
    const rate = tree.root.rate(Date.now());
    return `${countText(tree.topics)} topics, ${rateText(rate)}, ${countText(tree.messages)} messages${held}`;
  });
  const leftOut = useComputed(() => {
    watch.moment.value;
    return watch.tree.leftOut;
  });
  return (
    <div class="foot">
      <span>{text}</span>
      {leftOut.value > 0 && <span class="warm">{countText(leftOut.value)} messages of further topics are not shown: watch fewer.</span>}
    </div>
  );
}
