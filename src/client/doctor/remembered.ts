// What Nix remembers of narinfos, in its own database: a path that it has not found is not asked for again for an hour,
// and one that it has found for a month.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { plainUrl } from "./of-nix.ts";

export interface Remembered {
  /** The database. */
  readonly file: string;
  readonly hash: string;
  readonly isPresent: boolean;
  /** `name:base64`. */
  readonly signatures: readonly string[];
  /** As Nix has it, in one of its spellings; empty for an absent path. */
  readonly narHash: string;
  /** Seconds since the epoch. */
  readonly since: number;
}

const DATABASE = /^binary-cache-v\d+\.sqlite$/;

/** Entries of this cache in Nix's databases in `dir`, the newest first; of one path where `hash` is given. */
export async function remembered(
  dir: string,
  url: string,
  hash: string | undefined,
  limit: number,
): Promise<Remembered[]> {
  const files = existsSync(dir) ? readdirSync(dir).filter((name) => DATABASE.test(name)) : [];
  if (files.length === 0) return [];
  const { DatabaseSync } = await import("node:sqlite");
  return files.flatMap((name) => {
    const file = join(dir, name);
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      const caches = database.prepare("SELECT id, url FROM BinaryCaches").all();
      const ids = caches.flatMap((row) => (plainUrl(String(row.url)) === url ? [Number(row.id)] : []));
      return ids.flatMap((id) =>
        database
          .prepare(
            "SELECT hashPart, narHash, sigs, timestamp, present FROM NARs WHERE cache = ? AND (? IS NULL OR hashPart = ?) ORDER BY timestamp DESC LIMIT ?",
          )
          .all(id, hash ?? null, hash ?? null, limit)
          .map((row) => ({
            file,
            hash: String(row.hashPart),
            isPresent: Number(row.present) === 1,
            signatures: String(row.sigs ?? "")
              .split(" ")
              .filter((signature) => signature !== ""),
            narHash: String(row.narHash ?? ""),
            since: Number(row.timestamp),
          })),
      );
    } finally {
      database.close();
    }
  });
}
