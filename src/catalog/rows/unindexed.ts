// Narinfos that a check has met and that the catalog does not know: scratch rows, so that what only they refer to is
// not taken for unreferred, and what they refer to is not overlooked.
import { formatHash } from "../../nix/hash.ts";
import { narKeyOfUrl } from "../../nix/nar-url.ts";
import type { CatalogContext } from "../context.ts";
import type { Published, Unreadable } from "../publish/published.ts";

/** Remembers a narinfo until the check ends; call it in a transaction. */
export function remember(c: CatalogContext, hash: string, found: Published | Unreadable): void {
  const row =
    "unreadable" in found
      ? { name: hash, nar: found.nar ?? null, fileHash: "", fileSize: 0, references: [] }
      : {
          name: found.info.storePath.baseName,
          nar: narKeyOfUrl(found.info.url),
          fileHash: found.info.fileHash === undefined ? "" : formatHash(found.info.fileHash),
          fileSize: found.info.fileSize ?? 0,
          references: found.info.references.filter((reference) => reference.slice(0, 32) !== hash),
        };
  c.sql.exec(
    "INSERT OR REPLACE INTO unindexed (hash, name, nar, file_hash, file_size, refs) VALUES (?, ?, ?, ?, ?, ?)",
    hash,
    row.name,
    row.nar,
    row.fileHash,
    row.fileSize,
    JSON.stringify(row.references),
  );
}

export function forget(c: CatalogContext, hash: string): void {
  c.sql.exec("DELETE FROM unindexed WHERE hash = ?", hash);
}

export function forgetAll(c: CatalogContext): void {
  c.sql.exec("DELETE FROM unindexed");
}

export function isNarOfUnindexed(c: CatalogContext, nar: string): boolean {
  return c.sql.exec("SELECT 1 FROM unindexed WHERE nar = ? LIMIT 1", nar).toArray().length > 0;
}

/** Whether one has been met that may have any NAR, because nobody here can read which. */
export function isAnyNarUnknown(c: CatalogContext): boolean {
  return c.sql.exec("SELECT 1 FROM unindexed WHERE nar IS NULL LIMIT 1").toArray().length > 0;
}

/** Base names of unindexed paths that refer to a path. */
export function unindexedReferrers(c: CatalogContext, hash: string): string[] {
  return c.sql
    .exec<{ name: string }>(
      `SELECT name FROM unindexed
       WHERE EXISTS (SELECT 1 FROM json_each(refs) WHERE substr(value, 1, 32) = ?) ORDER BY name`,
      hash,
    )
    .toArray()
    .map((row) => row.name);
}

/** The base name by which an unindexed path refers to a path. */
export function nameFromUnindexed(c: CatalogContext, hash: string): string | undefined {
  return c.sql
    .exec<{ value: string }>(
      "SELECT value FROM unindexed, json_each(unindexed.refs) WHERE substr(value, 1, 32) = ? LIMIT 1",
      hash,
    )
    .toArray()[0]?.value;
}
