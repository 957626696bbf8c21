/** A plot over time. What draws it is loaded when the first one is shown. */
import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";

export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** A custom property of the style sheet. */
  readonly color?: string;
}

interface Props {
  /** What it shows, for those who do not see it. */
  readonly label: string;
  /** Pixels. */
  readonly height: number;
  /** Seconds since the epoch, ascending. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  /** How values are written; as they are without it. */
  readonly text?: (value: number) => string;
}

const COLORS = ["--accent", "--warm", "--bad", "--good"];

export function Plot({ label, height, times, series, text }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<uPlot | undefined>(undefined);
  const names = series.map(({ name }) => name).join("\n");
  const data = [times, ...series.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const element = place.current!;
    let plot: uPlot | undefined;
    let isGone = false;
    const resized = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height }));
    const draw = async (): Promise<void> => {
      const [{ default: UPlot }] = await Promise.all([import("uplot"), import("uplot/dist/uPlot.min.css")]);
      if (isGone) return;
      plot = new UPlot(optionsOf(element, height, series, text), latest.current, element);
      drawn.current = plot;
      resized.observe(element);
    };
    const redraw = (): void => {
      plot?.destroy();
      void draw();
    };
    void draw();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", redraw);
    return () => {
      isGone = true;
      scheme.removeEventListener("change", redraw);
      resized.disconnect();
      plot?.destroy();
      drawn.current = undefined;
    };
  }, [names, height]);

  useEffect(() => drawn.current?.setData(data), [times, series]);
  return <div ref={place} class="plot" role="img" aria-label={`${label}: ${wordsOf(series, text)}`} />;
}

function optionsOf(element: HTMLElement, height: number, series: readonly Series[], text?: (value: number) => string): uPlot.Options {
  const color = (name: string): string => colorOf(element, name);
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width: element.clientWidth,
    height,
    cursor: { points: { size: 5 } },
    legend: { show: series.length > 1 },
    scales: { x: { time: true } },
    axes: [axis, { ...axis, size: 56, ...(text === undefined ? {} : { values: (_: uPlot, all: number[]) => all.map(text) }) }],
    series: [
      {},
      ...series.map(({ name, color: own }, index) => ({
        label: name,
        stroke: color(own ?? COLORS[index % COLORS.length]!),
        width: 1.5,
        points: { show: false },
        ...(text === undefined ? {} : { value: (_: uPlot, value: number | null) => (value === null ? "–" : text(value)) }),
      })),
    ],
  };
}

/** What a custom property is in the scheme of the moment: a canvas knows nothing of `light-dark`. */
function colorOf(element: HTMLElement, name: string): string {
  const probe = element.appendChild(document.createElement("i"));
  probe.style.color = `var(${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** The last value of each. */
function wordsOf(series: readonly Series[], text: (value: number) => string = String): string {
  return series
    .map(({ name, values }) => {
      const last = values.findLast((value) => value !== null);
      return `${name} ${last === undefined || last === null ? "unknown" : text(last)}`;
    })
    .join(", ");
}
