// How much is stored below a directory: NARs and narinfos, and databases.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

export interface Stored {
  /** Bytes of all files that are not of a database. */
  readonly objects: number;
  /** Bytes of SQLite's files, journals included. */
  readonly databases: number;
}

const DATABASE = /\.sqlite(-shm|-wal)?$/;

export function storedBelow(dir: string): Stored {
  let objects = 0;
  let databases = 0;
  for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
    // A database's journal may go meanwhile.
    const stat = statSync(join(dir, name), { throwIfNoEntry: false });
    if (stat?.isFile() !== true) continue;
    if (DATABASE.test(name)) databases += stat.size;
    else objects += stat.size;
  }
  return { objects, databases };
}
