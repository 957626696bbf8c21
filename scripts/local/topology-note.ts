/**
 * Data of another topology than the one that is started: its sessions and retained messages belong to objects that nobody asks, so that
 * they seem lost. Knows it by the names of the objects whose databases are there.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Settings } from "../../src/settings.ts";
import type { DataFolder } from "./data-folder.ts";

/** @returns a sentence for the operator; undefined when nothing of another topology is stored */
export function topologyNote(data: DataFolder, topology: Settings["topology"]): string | undefined {
  const other = topology === "compact" ? "sharded" : "compact";
  const belongs = (path: string): boolean => {
    const name = data.names.nameOf(path);
    return name !== undefined && name.endsWith("/broker") === (other === "compact");
  };
  const held = data.databases.filter(belongs).map((path) => heldIn(join(data.objects, path)));
  const sessions = held.reduce((sum, each) => sum + each.sessions, 0);
  const retained = held.reduce((sum, each) => sum + each.retained, 0);
  if (sessions + retained === 0) return undefined;
  return `${data.path} has ${sessions} sessions and ${retained} retained messages of the ${other} topology, which this start, ${topology}, does not serve. They stay there: start with --topology ${other} to have them again.`;
}

function heldIn(file: string): { sessions: number; retained: number } {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rowsOf = (table: string): number => {
      if (database.prepare("SELECT 1 FROM sqlite_master WHERE name = ?").get(table) === undefined) return 0;
      return database.prepare(`SELECT count(*) AS n FROM ${table}`).get()!.n as number;
    };
    return { sessions: rowsOf("session"), retained: rowsOf("retained") };
  } finally {
    database.close();
  }
}
