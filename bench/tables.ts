/** Numbers as people read them, and tables for the terminal and for Markdown alike. */

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}

/** Three digits that count, thousands separated. */
export function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "-";
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  if (digits > 6) return value.toExponential(1);
  const rounded = Number(value.toPrecision(3));
  return rounded.toLocaleString("en-US", { maximumFractionDigits: digits });
}

export function times(value: number | undefined): string {
  return value === undefined ? "-" : `${value.toFixed(value < 10 ? 2 : 1)}x`;
}

export function dollars(value: number): string {
  return value === 0 ? "0" : value < 0.0001 ? "< 0.0001" : value.toLocaleString("en-US", { maximumFractionDigits: value < 1 ? 4 : 2 });
}
