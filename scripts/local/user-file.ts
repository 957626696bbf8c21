/** Users in a file: a JSON object on each line, a JSON array, or CSV whose first line names the columns. */

/** A user as a file has it. */
export interface UserLine {
  readonly user: string;
  readonly password?: string;
  readonly password_hash?: string;
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly superuser?: boolean;
  readonly acl?: readonly unknown[];
}

const COLUMNS = ["user", "password", "password_hash", "publish", "subscribe"];
const FIELDS = [...COLUMNS, "superuser", "acl"];

/** @throws Error with a sentence that names the line and quotes nothing of it */
export function parseUserFile(text: string): UserLine[] {
  const content = text.replace(/^\ufeff/, "").trim();
  if (content === "") return [];
  if (content.startsWith("[")) return (parsed(content, "The file") as unknown[]).map((value, index) => checked(value, `[${index}]`));
  const lines = content.split(/\r?\n/).map((line, index) => ({ line, at: `Line ${index + 1}` }));
  const filled = lines.filter(({ line }) => line.trim() !== "");
  if (content.startsWith("{")) return filled.map(({ line, at }) => checked(parsed(line, at), at));
  const [head, ...rows] = filled;
  const columns = cells(head!.line, head!.at).map((name) => name.trim());
  if (!columns.includes("user") || columns.some((name) => !COLUMNS.includes(name))) {
    throw new Error(`The first line must name columns, of ${COLUMNS.join(", ")}: user is needed.`);
  }
  return rows.map(({ line, at }) => rowOf(cells(line, at), columns, at));
}

function parsed(text: string, at: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${at} is not valid JSON.`);
  }
}

function checked(value: unknown, at: string): UserLine {
  if (typeof value !== "object" || value === null || typeof (value as UserLine).user !== "string") {
    throw new Error(`${at} must be an object with a user.`);
  }
  if (Object.keys(value).some((name) => !FIELDS.includes(name)))
    throw new Error(`${at} has an unknown field; known are ${FIELDS.join(", ")}.`);
  return value as UserLine;
}

/** RFC 4180, without line breaks in cells. */
function cells(line: string, at: string): string[] {
  const found: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  while (cell.lastIndex <= line.length) {
    const match = cell.exec(line);
    if (match === null) throw new Error(`${at} is not valid CSV.`);
    found.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (match[3] === "") break;
  }
  return found;
}

/** Topic filters of a cell are separated by spaces. */
function rowOf(values: readonly string[], columns: readonly string[], at: string): UserLine {
  if (values.length !== columns.length) throw new Error(`${at} has ${values.length} cells where ${columns.length} were expected.`);
  const given = new Map(columns.map((name, index) => [name, values[index]!.trim()] as const).filter(([, value]) => value !== ""));
  const { user, ...texts } = Object.fromEntries(given) as Record<string, string>;
  if (user === undefined) throw new Error(`${at} has no user.`);
  const { publish = "", subscribe = "", ...secrets } = texts;
  // A file without the column says nothing of rights; an empty cell says that there are none.
  const list = (column: string, text: string): object =>
    columns.includes(column) ? { [column]: text.split(/\s+/).filter((filter) => filter !== "") } : {};
  return { user, ...secrets, ...list("publish", publish), ...list("subscribe", subscribe) };
}
