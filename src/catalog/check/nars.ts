// The second phase of a check: objects under nar/, rows of NARs, and the paths that they belong to.
import { formatHash } from "../../nix/hash.ts";
import type { CatalogContext } from "../context.ts";
import { note } from "../rows/findings.ts";
import { isNarReferred, NAR_PATHS } from "../rows/nar-paths.ts";
import { forgetVanishedNar, importNars } from "../rows/nars.ts";
import { isNarBeingPublished } from "../rows/publications.ts";
import { isAnyNarUnknown, isNarOfUnindexed } from "../rows/unindexed.ts";
import { saveRun } from "../runs/run.ts";
import { compareNar } from "../scan/compare.ts";
import { differingNars, listNars } from "../scan/differences.ts";
import { doItems, type Item } from "../scan/items.ts";
import type { Page } from "../scan/pages.ts";
import { checkNarOfPath } from "./nar-of-path.ts";
import { type CheckRun, SEPARATOR } from "./state.ts";

/**
 * A checkpoint of this phase is a NAR's key. Many paths may have the same NAR, so the key may be followed by the hash
 * part of the last path that was checked.
 */
export async function checkNars(c: CatalogContext, run: CheckRun): Promise<number> {
  const page = await listNars(c, run.checkpoint);
  const { unknown, vanished } = differingNars(c, page, run.checkpoint);
  const keys = new Set([...unknown.map((object) => object.key), ...vanished, ...unreferenced(c, page)]);
  const items = [
    ...[...keys].map((key): Item => ({ key, cost: 1, work: () => checkNar(c, run, key) })),
    ...suspectPaths(c, page, run.checkpoint).map(
      ({ hash, nar }): Item => ({
        key: `${nar}${SEPARATOR}${hash}`,
        cost: run.state.repair ? 4 : 2,
        work: () => checkNarOfPath(c, run, hash),
      }),
    ),
  ];
  const { done, cost } = await doItems(c, run, items, page.end);
  run.state.counts.nars += page.objects.filter((object) => object.key <= done).length;
  // Without a step of its own: only a deep check has something to do in the next phase.
  if (run.phase === "contents" && !run.state.deep) run.phase = "references";
  saveRun(c, run);
  return cost;
}

/** Keys of the page, older than the grace period, that no path has and that the sweep is not to delete already. */
function unreferenced(c: CatalogContext, page: Page): string[] {
  const old = page.objects.filter((object) => object.uploaded.getTime() <= c.now() - c.config.graceMs);
  return c.sql
    .exec<{ key: string }>(
      `SELECT value AS key FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM unindexed WHERE nar = value)
       AND NOT EXISTS (SELECT 1 FROM nars WHERE key = value AND (path IS NOT NULL OR released IS NOT NULL))`,
      JSON.stringify(old.map((object) => object.key)),
    )
    .toArray()
    .map((row) => row.key);
}

interface SuspectPath extends Record<string, SqlStorageValue> {
  hash: string;
  nar: string;
}

/** Paths whose NAR is not on the page although it should be, or is there with another size or SHA-256. */
function suspectPaths(c: CatalogContext, page: Page, after: string): SuspectPath[] {
  const listed = JSON.stringify(
    page.objects.map(({ key, size, checksums: { sha256 } }) => ({
      key,
      size,
      hash: sha256 ? formatHash({ algorithm: "sha256", bytes: new Uint8Array(sha256) }) : null,
    })),
  );
  const [narBefore = "", hashBefore] = after.split(SEPARATOR);
  const unindexed = { table: "unindexed", nar: "unindexed.nar", hash: "unindexed.hash" };
  return [...NAR_PATHS, unindexed].flatMap(({ table, nar, hash }) => [
    // The last step ended between the paths of one NAR. No page lists it again, so all its other paths are checked.
    ...(hashBefore === undefined
      ? []
      : c.sql.exec<SuspectPath>(
          `SELECT ${hash} AS hash, ${nar} AS nar FROM ${table} WHERE ${nar} = ? AND ${hash} > ?`,
          narBefore,
          hashBefore,
        )),
    ...c.sql.exec<SuspectPath>(
      `SELECT ${hash} AS hash, ${nar} AS nar FROM ${table} WHERE ${nar} > ? AND ${nar} <= ? AND ${hash} IS NOT NULL
       AND ${nar} NOT IN (SELECT value ->> 'key' FROM json_each(?))`,
      after,
      page.end,
      listed,
    ),
    ...c.sql.exec<SuspectPath>(
      `SELECT own.hash AS hash, ${nar} AS nar FROM json_each(?) CROSS JOIN ${table} ON ${nar} = value ->> 'key'
       CROSS JOIN ${table === "unindexed" ? table : "paths"} AS own ON own.hash = ${hash}
       WHERE (own.file_size <> 0 AND own.file_size <> value ->> 'size')
       OR (own.file_hash LIKE 'sha256:%' AND own.file_hash <> value ->> 'hash')`,
      listed,
    ),
  ]);
}

function checkNar(c: CatalogContext, run: CheckRun, key: string): Promise<void> {
  return compareNar(c, key, (object) => {
    c.transaction(() => {
      const row = narRow(c, key);
      if (object !== null) return checkStoredNar(c, run, key, object, row);
      // A row without `is_stored` belongs to an upload under way, or to one that failed.
      if (row?.is_stored === 1) {
        note(c, run.kind, "vanished-nar", key, "is in the catalog, but not in the bucket", run.state.repair);
      }
      if (run.state.repair) forgetVanishedNar(c, key, c.config.graceMs);
    });
  });
}

function checkStoredNar(
  c: CatalogContext,
  run: CheckRun,
  key: string,
  object: R2Object,
  row: NarRow | undefined,
): void {
  if (row === undefined) {
    note(c, run.kind, "unindexed-nar", key, `is not in the catalog; ${object.size} bytes`, run.state.repair);
    if (run.state.repair) importNars(c, [object]);
  }
  if (isNarReferred(c, key) || isNarOfUnindexed(c, key) || isNarBeingPublished(c, key)) return;
  // Pushers upload first and publish later, so within the grace period nothing is wrong with it.
  const lastUsed = Math.max(object.uploaded.getTime(), row?.uploaded ?? 0, row?.seen ?? 0);
  if (row?.released || lastUsed > c.now() - c.config.graceMs) return;
  const isReleased = run.state.repair && !isAnyNarUnknown(c);
  note(c, run.kind, "unreferenced-nar", key, `nothing refers to it; ${object.size} bytes`, isReleased);
  // Not deleted here: a publication may be about to use it, and the sweep leaves time for that.
  if (!isReleased) return;
  c.sql.exec("UPDATE nars SET released = ? WHERE key = ?", c.now(), key);
  c.wakeForSweep();
}

interface NarRow extends Record<string, SqlStorageValue> {
  is_stored: number;
  uploaded: number;
  seen: number;
  released: number | null;
}

function narRow(c: CatalogContext, key: string): NarRow | undefined {
  return c.sql
    .exec<NarRow>("SELECT is_stored, uploaded, seen, released FROM nars WHERE key = ?", key)
    .toArray()[0];
}
