/** Rows of one height, of which only those are in the document that can be seen: a list of a hundred thousand is as fast as one of ten. */
import type { ComponentChildren, ComponentProps } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** Rows above and below what is seen, so that scrolling shows no gaps. */
const BEYOND = 8;

interface Props extends Omit<ComponentProps<"div">, "children" | "ref"> {
  readonly count: number;
  /** Pixels. */
  readonly rowHeight: number;
  readonly row: (index: number) => ComponentChildren;
  /** The row that has to be seen; it is scrolled to when it changes. */
  readonly seen?: number | undefined;
  /** What is read stays where it is when so many rows have come before all others since the start. */
  readonly cameBefore?: number;
}

export function Rows({ count, rowHeight, row, seen, cameBefore = 0, ...attributes }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const before = useRef(cameBefore);

  useEffect(() => {
    const element = scroller.current!;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = scroller.current!;
    const came = cameBefore - before.current;
    before.current = cameBefore;
    if (came > 0 && element.scrollTop > 0) element.scrollTop += came * rowHeight;
  }, [cameBefore, rowHeight]);

  useLayoutEffect(() => {
    const element = scroller.current!;
    if (seen === undefined) return;
    const at = seen * rowHeight;
    if (at < element.scrollTop) element.scrollTop = at;
    else if (at + rowHeight > element.scrollTop + element.clientHeight) element.scrollTop = at + rowHeight - element.clientHeight;
  }, [seen, rowHeight]);

  const first = Math.max(0, Math.floor(top / rowHeight) - BEYOND);
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + BEYOND);
  const rows: ComponentChildren[] = [];
  for (let index = first; index < last; index += 1) rows.push(row(index));
  return (
    <div class="scroller" ref={scroller} onScroll={({ currentTarget }) => setTop(currentTarget.scrollTop)}>
      <div {...attributes} style={{ height: `${count * rowHeight}px` }}>
        <div role="presentation" style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}
