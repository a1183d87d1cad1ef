// Settling: what operations left pending that died or got no answer is brought to its end by looking into the bucket,
// or by doing it again. And deletions, which are carried out the same way the first time.
import { BucketError, isAnswered } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
import { deleteObjects } from "../objects.ts";
import { companionsStillNeeded, forgetCompanions } from "../rows/companions.ts";
import { deletePathRow, indexPath } from "../rows/index-path.ts";
import {
  clearIntent,
  deletionIntents,
  expiredIntents,
  type IntentRow,
  intentsOf,
  narsOfIntents,
  restartTimeout,
} from "../rows/intents.ts";
import { postponeRelease } from "../rows/nars.ts";
import { isIncomplete, isNarReferred, pathRow } from "../rows/paths.ts";
import { readPublished } from "./published.ts";

/**
 * What a bucket operation without an answer may still do, it does within these times (milliseconds) of the intention;
 * generous, because nobody promises any. A publication's intention goes on protecting until then, and nobody waits
 * for it. A deletion's has to be over before its key can be used again.
 */
const PUBLICATION_SETTLES_MS = 300_000;
const DELETION_SETTLES_MS = 30_000;
/** Leftovers that one call of {@link resolveExpired} looks at. Deletions are one operation, publications one each. */
const MAX_LEFTOVERS = 1000;
const MAX_PUBLICATIONS = 20;

/**
 * Settles what earlier operations left, as far as it is time for it. Nothing depends on it, because what is pending
 * protects what it needs, and whoever uses a key settles it first: what cannot be settled now is left to the next.
 */
export async function resolveExpired(c: CatalogContext): Promise<void> {
  const before = { publication: c.now() - PUBLICATION_SETTLES_MS, deletion: c.now() - DELETION_SETTLES_MS };
  const due = expiredIntents(c, before, MAX_LEFTOVERS).filter((row) => !c.locks.isHeld(row.key));
  const keysOf = (rows: readonly IntentRow[]) => [...new Set(rows.map((row) => row.key))];
  const deletions = keysOf(due.filter((row) => row.kind !== "publish"));
  const publications = keysOf(due.filter((row) => row.kind === "publish")).slice(0, MAX_PUBLICATIONS);
  try {
    if (deletions.length > 0) {
      await c.locks.runAll(deletions, () => executeDeletions(c, deletions));
    }
    for (const key of publications) {
      if (!c.locks.isHeld(key)) await c.locks.run(key, () => resolveKey(c, key));
    }
  } catch (error) {
    // The bucket fails. It all stays written down, and is tried again by the next operation.
    if (!(error instanceof BucketError)) throw error;
    console.warn("what an earlier operation left could not be settled", error);
  }
}

/**
 * Settles what earlier operations left on one key, by one who holds its lock: the catalog says then what the bucket
 * holds. A publication that may still arrive goes on protecting what it needs.
 */
export async function resolveKey(c: CatalogContext, key: string): Promise<void> {
  await resolveDeletion(c, key);
  const rows = intentsOf(c, [key]).filter((row) => row.kind === "publish");
  if (rows.length === 0) return;
  // The bucket is the truth: either the put arrived or it did not.
  const published = await readPublished(c, key);
  const settled = c.now() - PUBLICATION_SETTLES_MS;
  c.transaction(() => {
    if (published === undefined) deletePathRow(c, key);
    // A row that knows this object knows more of its pushes: those that have changed nothing.
    else if (pathRow(c, key)?.etag !== published.etag)
      indexPath(c, { ...published, isIncomplete: isIncomplete(c, published.info) });
    for (const row of rows) if (row.begun <= settled) clearIntent(c, row.sequence);
  });
  await c.purge([`/${key}.narinfo`]);
}

/** What another process asked the bucket to delete must not vanish after somebody has put it there again. */
async function resolveDeletion(c: CatalogContext, key: string): Promise<void> {
  const rows = deletionIntents(c, [key]);
  if (rows.length === 0) return;
  const settled = Math.max(...rows.map((row) => row.begun)) + DELETION_SETTLES_MS;
  if (settled > c.now()) await c.wait(settled - c.now());
  await executeDeletions(c, [key]);
}

/** Does what the intentions to delete these keys say, by one who holds the locks of all of them. */
export async function executeDeletions(c: CatalogContext, keys: readonly string[]): Promise<void> {
  const rows = deletionIntents(c, keys);
  if (rows.length === 0) return;
  // A deletion that failed may have been followed by a publication that relies on this NAR. Asked once for all of
  // them, because it looks at every intention.
  const published = narsOfIntents(c, "publish");
  const isNeeded = ({ kind, key }: IntentRow) =>
    kind === "delete-nar" && (published.has(key) || isNarReferred(c, key));
  const going = rows.filter((row) => !isNeeded(row));
  // A path with the same deriver may have been published since: the log is its log, too.
  const listed = going.flatMap((row): string[] => JSON.parse(row.objects));
  const needed = companionsStillNeeded(c, listed);
  const companions = new Set(listed.filter((key) => !needed.has(key)));
  const objects = [...new Set([...going.map(objectKey), ...companions])];
  const before = attempted(c, rows);
  try {
    if (objects.length > 0) await deleteObjects(c, objects);
  } catch (error) {
    // This attempt is over if the bucket has said so; one before it that got no answer may still happen.
    if (isAnswered(error)) for (const [sequence, begun] of before) restartTimeout(c, sequence, begun);
    throw error;
  }
  // Of what is needed again, too: an earlier attempt may have deleted it.
  const served = rows.filter(({ kind }) => kind !== "delete-pin").map(objectKey);
  const dropped = [...new Set([...served, ...companions])].map((key) => `/${key}`);
  if (dropped.length > 0) await c.purge(dropped);
  c.transaction(() => {
    for (const row of rows) {
      clearIntent(c, row.sequence);
      // Clients saw the narinfo until now, and now they begin to forget it.
      postponeRelease(c, JSON.parse(row.nars));
    }
    forgetCompanions(c, [...companions]);
  });
}

/**
 * From here on the bucket may do it at any time: what waits for it has to wait from now. Returns from when it had to
 * be waited for before, by sequence number; 0 where the bucket had not been asked yet.
 */
function attempted(c: CatalogContext, rows: readonly IntentRow[]): Map<number, number> {
  const before = new Map<number, number>();
  for (const { sequence, begun } of rows) {
    // Its intention says already when it begins. What a dead process has written may have been asked for.
    const isFirst = c.unsentIntents.delete(sequence);
    before.set(sequence, isFirst ? 0 : begun);
    if (!isFirst) restartTimeout(c, sequence, c.now());
  }
  return before;
}

function objectKey({ kind, key }: IntentRow): string {
  return kind === "delete-path" ? `${key}.narinfo` : key;
}
