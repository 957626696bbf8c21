/** The month as a plot: dollars over clients that send once a minute, both on scales of powers of ten. */

import { EMQX_SERVERLESS } from "../prices.ts";
import { escaped, round, text } from "../svg.ts";
import { awsMonth, emqxMonth } from "./elsewhere.ts";
import type { Measured } from "./measured.ts";
import { type Fleet, misfit, month, OBJECT_CONNECTIONS, type Reading, type Way } from "./model.ts";

interface Line {
  readonly label: string;
  readonly colour: string;
  readonly dash?: string;
  /** @returns undefined where there is nothing */
  readonly dollars: (fleet: Fleet) => number | undefined;
}

const WIDTH = 860;
const HEIGHT = 470;
const LEFT = 70;
const RIGHT = 250;
const TOP = 64;
const BOTTOM = 44;

const CLIENTS = { from: 1, to: 5 } as const;
const DOLLARS = { from: 0, to: 5 } as const;
/** Of a line, for each power of ten. */
const POINTS = 12;
/** Between labels. */
const LABEL_HEIGHT = 15;

function own(label: string, colour: string, way: Way, kept: boolean, reading: Reading, measured: Measured): Line {
  const dollars = (fleet: Fleet): number | undefined =>
    misfit(fleet, way) === undefined ? month({ ...fleet, kept }, way, measured).dollars[reading] : undefined;
  return { label, colour, dollars, ...(reading === "most" && { dash: "4 4" }) };
}

const COMPACT_ENDS = OBJECT_CONNECTIONS.toLocaleString("en-US");

/** @returns SVG */
export function monthPlot(measured: Measured): string {
  const lines: readonly Line[] = [
    own(`compact, to ${COMPACT_ENDS}`, "#1f6feb", "compact", false, "listed", measured),
    own(`compact, kept sessions, to ${COMPACT_ENDS}`, "#8250df", "compact", true, "listed", measured),
    own("sharded, relayed", "#2da44e", "relayed", false, "listed", measured),
    own("sharded, relayed, at most", "#2da44e", "relayed", false, "most", measured),
    own("sharded, kept sessions", "#bf3989", "relayed", true, "listed", measured),
    { label: "AWS IoT Core", colour: "#d29922", dollars: awsMonth },
    { label: `EMQX Serverless, to ${EMQX_SERVERLESS.connectionsMax.toLocaleString("en-US")}`, colour: "#8b949e", dollars: emqxMonth },
  ];
  const parts = [...axes(), ...lines.flatMap(({ label, ...line }) => path(label, line)), ...labels(lines)];
  const title = "Dollars a month";
  const subtitle =
    "over clients that each send a message a minute at QoS 1 to one other; dashed: as if an object were billed until it hibernates";
  const head = [text(8, 20, title, 'font-size="16" font-weight="600"'), text(8, 40, subtitle, 'class="faint"')];
  const size = `width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}"`;
  const style = "text{fill:#24292f}@media(prefers-color-scheme:dark){text{fill:#e6edf3}}text.faint{fill:#888}";
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12"><title>${escaped(title)}</title><style>${style}</style>\n${[...head, ...parts].join("\n")}\n</svg>\n`;
}

function x(clients: number): number {
  return round(LEFT + ((Math.log10(clients) - CLIENTS.from) / (CLIENTS.to - CLIENTS.from)) * (WIDTH - LEFT - RIGHT));
}

function y(dollars: number): number {
  const share = (Math.log10(Math.max(dollars, 10 ** DOLLARS.from)) - DOLLARS.from) / (DOLLARS.to - DOLLARS.from);
  return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM));
}

function axes(): string[] {
  const rule = (from: readonly [number, number], to: readonly [number, number]): string =>
    `<line x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}" stroke="#888" stroke-opacity="0.3"/>`;
  const across = powers(DOLLARS).flatMap((value) => [
    rule([LEFT, y(value)], [WIDTH - RIGHT, y(value)]),
    text(LEFT - 8, y(value) + 4, `$${value.toLocaleString("en-US")}`, 'text-anchor="end"'),
  ]);
  const down = powers(CLIENTS).flatMap((value) => [
    rule([x(value), TOP], [x(value), HEIGHT - BOTTOM]),
    text(x(value), HEIGHT - BOTTOM + 18, value.toLocaleString("en-US"), 'text-anchor="middle"'),
  ]);
  return [...across, ...down, text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "clients", 'text-anchor="middle" class="faint"')];
}

function powers({ from, to }: { readonly from: number; readonly to: number }): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
}

interface Point {
  readonly x: number;
  readonly y: number;
}

function pointsOf({ dollars }: Pick<Line, "dollars">): Point[] {
  const count = (CLIENTS.to - CLIENTS.from) * POINTS;
  return Array.from({ length: count + 1 }, (_, index) => Math.round(10 ** (CLIENTS.from + index / POINTS))).flatMap((clients) => {
    const value = dollars({ clients, messagesPerSecond: clients / 60, kept: false });
    return value === undefined ? [] : [{ x: x(clients), y: y(value) }];
  });
}

function path(label: string, { colour, dash, ...line }: Omit<Line, "label">): string[] {
  const points = pointsOf(line).map((point) => `${point.x},${point.y}`);
  const dashed = dash === undefined ? "" : ` stroke-dasharray="${dash}"`;
  return [
    `<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"${dashed}><title>${escaped(label)}</title></polyline>`,
  ];
}

/** Beside the right edge, as high as the lines end, one below the other. */
function labels(lines: readonly Line[]): string[] {
  let below = Number.NEGATIVE_INFINITY;
  return lines
    .map((line) => ({ ...line, end: pointsOf(line).at(-1)!.y }))
    .sort((a, b) => a.end - b.end)
    .map(({ label, colour, end }) => {
      below = Math.max(end, below + LABEL_HEIGHT);
      return text(WIDTH - RIGHT + 8, below + 4, label, `style="fill:${colour}" font-weight="600"`);
    });
}
