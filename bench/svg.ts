/** Bar charts as SVG, by hand: groups of bars on a common scale, with the numbers beside them. Readable on white and on black. */

export interface Bar {
  readonly label: string;
  /** What is written at its end. */
  readonly text: string;
  readonly value: number | undefined;
  readonly colour: string;
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 860;
const LABEL_WIDTH = 210;
const TEXT_WIDTH = 120;
const BAR_HEIGHT = 15;
const GROUP_GAP = 14;
const TOP = 58;

/** @param mark a vertical line at this value, such as the one of the broker to compare with */
export function barChart(title: string, subtitle: string, groups: readonly BarGroup[], mark?: number): string {
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value ?? 0));
  const highest = Math.max(...values, mark ?? 0) || 1;
  const scale = (WIDTH - LABEL_WIDTH - TEXT_WIDTH) / highest;
  const parts: string[] = [];
  let y = TOP;
  for (const group of groups) {
    parts.push(text(8, y + 12, group.title, 'font-weight="600"'));
    y += 18;
    for (const { label, text: shown, value, colour } of group.bars) {
      const width = Math.max(1, (value ?? 0) * scale);
      parts.push(text(LABEL_WIDTH - 8, y + 11, label, 'text-anchor="end"'));
      if (value !== undefined)
        parts.push(`<rect x="${LABEL_WIDTH}" y="${y}" width="${round(width)}" height="${BAR_HEIGHT - 3}" fill="${colour}"/>`);
      parts.push(text(LABEL_WIDTH + (value === undefined ? 0 : round(width)) + 6, y + 11, value === undefined ? "not measured" : shown));
      y += BAR_HEIGHT;
    }
    y += GROUP_GAP;
  }
  if (mark !== undefined) {
    const x = round(LABEL_WIDTH + mark * scale);
    parts.push(`<line x1="${x}" y1="${TOP}" x2="${x}" y2="${y - GROUP_GAP}" stroke="#888" stroke-dasharray="3 3"/>`);
  }
  const head = [text(8, 20, title, 'font-size="16" font-weight="600"'), text(8, 40, subtitle, 'class="faint"')];
  const size = `width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}"`;
  const style = "text{fill:#24292f}@media(prefers-color-scheme:dark){text{fill:#e6edf3}}text.faint{fill:#888}";
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12"><title>${escaped(title)}</title><style>${style}</style>\n${[...head, ...parts].join("\n")}\n</svg>\n`;
}

export function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${x}" y="${y}"${attributes === "" ? "" : ` ${attributes}`}>${escaped(content)}</text>`;
}

export function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
