// The second part of a check: NARs in the bucket, the NARs of the catalog, and the paths to which they belong.
import { formatHash } from "../../nix/hash.ts";
import type { CatalogContext } from "../context.ts";
import { note } from "../rows/findings.ts";
import { isNarBeingPublished } from "../rows/intents.ts";
import { forgetVanishedNar, importNars } from "../rows/nars.ts";
import { isNarReferred } from "../rows/paths.ts";
import { isAnyNarUnknown, isNarOfUnindexed } from "../rows/unindexed.ts";
import { type Run, saveRun } from "../runs/runs.ts";
import { compareNar } from "../scan/compare.ts";
import { differingNars, listNars } from "../scan/differences.ts";
import { doItems, type Item } from "../scan/items.ts";
import type { Page } from "../scan/pages.ts";
import { checkNarOfPath } from "./nar-of-path.ts";

/** Between the parts of a place in the walk: sorts before whatever a longer key has there, and is in no key. */
const SEPARATOR = " ";

/**
 * A place in this walk is a NAR's key, or, because many paths may have the same NAR, the key and the hash part of
 * the last path that has been looked at.
 */
export async function checkNars(c: CatalogContext, run: Run): Promise<number> {
  const page = await listNars(c, run.checkpoint);
  const { unknown, vanished } = differingNars(c, page, run.checkpoint);
  const keys = new Set([...unknown.map((object) => object.key), ...vanished, ...unreferred(c, page)]);
  const items = [
    ...[...keys].map((key): Item => ({ key, cost: 1, work: () => checkNar(c, run, key) })),
    ...suspectPaths(c, page, run.checkpoint).map(
      ({ hash, nar }): Item => ({
        key: `${nar}${SEPARATOR}${hash}`,
        cost: run.repair ? 4 : 2,
        work: () => checkNarOfPath(c, run, hash),
      }),
    ),
  ];
  const { done, cost } = await doItems(c, run, items, page.end);
  run.counts.nars += page.objects.filter((object) => object.key <= done).length;
  saveRun(c, run);
  return cost;
}

/** Keys of the page, older than the grace period, that no path has and that are not waiting for the sweep already. */
function unreferred(c: CatalogContext, page: Page): string[] {
  const settled = page.objects.filter((object) => object.uploaded.getTime() <= c.now() - c.config.graceMs);
  return c.sql
    .exec<{ key: string }>(
      `SELECT value AS key FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM paths WHERE nar = value)
       AND NOT EXISTS (SELECT 1 FROM unindexed WHERE nar = value)
       AND NOT EXISTS (SELECT 1 FROM nars WHERE key = value AND released IS NOT NULL)`,
      JSON.stringify(settled.map((object) => object.key)),
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
  return ["paths", "unindexed"].flatMap((table) => [
    // The last step ended between the paths of one NAR. It is on no page any more: the others are all looked at.
    ...(hashBefore === undefined
      ? []
      : c.sql.exec<SuspectPath>(
          `SELECT hash, nar FROM ${table} WHERE nar = ? AND hash > ?`,
          narBefore,
          hashBefore,
        )),
    ...c.sql.exec<SuspectPath>(
      `SELECT hash, nar FROM ${table} WHERE nar > ? AND nar <= ?
       AND nar NOT IN (SELECT value ->> 'key' FROM json_each(?))`,
      after,
      page.end,
      listed,
    ),
    ...c.sql.exec<SuspectPath>(
      `SELECT hash, nar FROM json_each(?) JOIN ${table} ON nar = value ->> 'key'
       WHERE (file_size <> 0 AND file_size <> value ->> 'size')
       OR (file_hash LIKE 'sha256:%' AND file_hash <> value ->> 'hash')`,
      listed,
    ),
  ]);
}

function checkNar(c: CatalogContext, run: Run, key: string): Promise<void> {
  return compareNar(c, key, (object) => {
    c.transaction(() => {
      const row = narRow(c, key);
      if (object !== null) return checkStoredNar(c, run, key, object, row);
      // A row that does not say that there is an object is of an upload under way, or of one that failed.
      if (row?.is_stored === 1) {
        note(c, run.kind, "vanished-nar", key, "is in the catalog, but not in the bucket", run.repair);
      }
      if (run.repair) forgetVanishedNar(c, key, c.config.graceMs);
    });
  });
}

function checkStoredNar(
  c: CatalogContext,
  run: Run,
  key: string,
  object: R2Object,
  row: NarRow | undefined,
): void {
  if (row === undefined) {
    note(c, run.kind, "unindexed-nar", key, `is not in the catalog; ${object.size} bytes`, run.repair);
    if (run.repair) importNars(c, [object]);
  }
  if (isNarReferred(c, key) || isNarOfUnindexed(c, key) || isNarBeingPublished(c, key)) return;
  // Pushers upload first and publish later: until the grace period ends nothing is wrong with it.
  const lastCare = Math.max(object.uploaded.getTime(), row?.uploaded ?? 0, row?.seen ?? 0);
  if (row?.released || lastCare > c.now() - c.config.graceMs) return;
  const isReleased = run.repair && !isAnyNarUnknown(c);
  note(c, run.kind, "unreferenced-nar", key, `nothing refers to it; ${object.size} bytes`, isReleased);
  // Not deleted here: somebody may be about to publish it, and the sweep leaves time for that.
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
