// Pins: names for paths that must stay. The rows protect the paths. The object in the bucket is a copy from which a
// reindex restores them. A PUT is confirmed after both are written.
import { PIN_FOLDER } from "../../bucket/kinds.ts";
import { bucketFailure, bucketOperation, r2Code, TOO_MANY_WRITES } from "../../bucket/operation.ts";
import {
  type Keep,
  type Pin,
  type PinPage,
  type PinQuery,
  type PinRequest,
  type RevisionPosition,
  type RevisionQuery,
  SHOWN_REVISIONS,
} from "../../contract/pins.ts";
import type { CatalogContext } from "../context.ts";
import { importPathFromBucket } from "../publish/import.ts";
import { executeDeletions, resolveKey } from "../publish/resolve.ts";
import { Refused } from "../refuse.ts";
import { isBeingDeleted, recordIntent } from "../rows/intents.ts";
import { pathRow } from "../rows/paths.ts";
import {
  addRevision,
  deletePinRows,
  dropRevisions,
  forgetRevisions,
  markPinWritten,
  type NumberedRevision,
  type PinRow,
  pinNames,
  pinRow,
  type Revision,
  revisionsOf,
  savePinRow,
  unwrittenPins,
} from "../rows/pins.ts";
import { isoTime } from "../times.ts";
import { mostOf, ruleOf, untilOf } from "./keep.ts";
import { formatPin, type PinObject } from "./object.ts";

/** Retries before reporting that the object of the pin keeps changing concurrently. */
const MAX_ATTEMPTS = 4;
/** R2 takes one write a second to a key. */
const SECOND_MS = 1100;

/** Revisions that one PUT deletes because the rule keeps them no longer. */
const MAX_DROPPED = 10;

/** Most pins in one call of {@link writePins}: the bucket operations of an invocation are limited. */
export const MAX_WRITTEN = 50;

/**
 * Pins a path, as the newest revision of the name. Throws {@link Refused}: the path is not in the cache, or the
 * object is modified concurrently.
 */
export function putPin(c: CatalogContext, name: string, request: PinRequest, by: string): Promise<Pin> {
  return c.locks.run(PIN_FOLDER + name, async () => {
    const { hash } = request;
    if (pathRow(c, hash) === undefined) await importPathFromBucket(c, hash);
    // No await between this and the row: no deletion of the path can begin in between.
    if (pathRow(c, hash)?.name !== request.name) {
      throw new Refused({ kind: "nothing-to-pin", path: `${hash}-${request.name}` });
    }
    const newest: Revision = { hash, name: request.name, pinned: c.now(), pinnedBy: by };
    c.transaction(() => pin(c, name, ruleOf(request), newest));
    await writePin(c, name);
    return pinOf(c, name, { limit: SHOWN_REVISIONS }) as Pin;
  });
}

/** Writes no row where the pin is like this already. Call it in a transaction. */
function pin(c: CatalogContext, name: string, keep: Keep, revision: Revision): void {
  const row = pinRow(c, name);
  const [newest] = revisionsOf(c, name, 1);
  const isNew = newest?.hash !== revision.hash;
  const before = row && keepOf(row);
  const isRuleNew = before?.keepRevisions !== keep.keepRevisions || before?.keepDays !== keep.keepDays;
  if (isNew || isRuleNew) savePinRow(c, name, keep);
  if (isNew) addRevision(c, name, (newest?.number ?? 0) + 1, revision);
  if (isNew || isRuleNew) dropRevisions(c, name, MAX_DROPPED);
}

/** Throws {@link Refused} no-such-pin. */
export function deletePin(c: CatalogContext, name: string): Promise<void> {
  const key = PIN_FOLDER + name;
  return c.locks.run(key, async () => {
    // A pin whose deletion got no response has no row any more.
    if (pinRow(c, name) === undefined && !isBeingDeleted(c, key))
      throw new Refused({ kind: "no-such-pin", name });
    // An earlier deletion without a response must have ended, or it could delete the object of a later PUT.
    await resolveKey(c, key);
    await removePin(c, name);
  });
}

/** Throws {@link Refused} no-such-pin. */
export function getPin(c: CatalogContext, name: string, query: RevisionQuery): Pin {
  const pin = pinOf(c, name, query);
  if (pin === undefined) throw new Refused({ kind: "no-such-pin", name });
  return pin;
}

/** By name. */
export function listPins(c: CatalogContext, { limit, after }: PinQuery): PinPage {
  const names = pinNames(c, after?.name ?? "", limit + 1);
  const shown = names.slice(0, limit);
  const last = shown.at(-1);
  return {
    pins: shown.flatMap((name) => pinOf(c, name, { limit: SHOWN_REVISIONS }) ?? []),
    ...(names.length > limit && last !== undefined && { next: { name: last } }),
  };
}

/** Writes outdated objects of pins, {@link MAX_WRITTEN} at most. Returns how many. */
export async function writePins(c: CatalogContext): Promise<number> {
  const names = unwrittenPins(c, MAX_WRITTEN);
  for (const name of names) await c.locks.run(PIN_FOLDER + name, () => writePin(c, name));
  return names.length;
}

/** Writes the rows of a pin as the bucket has it. Call it in a transaction. */
export function restorePin(c: CatalogContext, name: string, { keep, revisions }: PinObject): void {
  savePinRow(c, name, keep);
  forgetRevisions(c, name);
  const newest = revisions.slice(0, mostOf(keep));
  for (const [index, revision] of newest.entries()) addRevision(c, name, newest.length - index, revision);
}

/** Removes a pin; the caller holds the lock. The intent outlives a deletion without a response: {@link resolveKey}. */
async function removePin(c: CatalogContext, name: string): Promise<void> {
  const key = PIN_FOLDER + name;
  c.transaction(() => {
    if (deletePinRows(c, name)) recordIntent(c, { kind: "delete-pin", key });
  });
  await executeDeletions(c, [key]);
}

/** Writes the object of a pin from its rows; the caller holds the lock. */
async function writePin(c: CatalogContext, name: string): Promise<void> {
  const key = PIN_FOLDER + name;
  // An earlier deletion without a response must not delete this object.
  await resolveKey(c, key);
  let row = pinRow(c, name);
  if (row === undefined || row.is_written === 1) return;
  const revisions = keptRevisions(c, row, mostOf(keepOf(row)));
  // An earlier version left such a pin when its deletion failed.
  if (revisions.length === 0) return removePin(c, name);
  const text = formatPin(keepOf(row), revisions, c.config.storeDir);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    // Write only over a known object: an earlier put without a response may still arrive, and must not win.
    const onlyIf: R2Conditional = row.etag === null ? { etagDoesNotMatch: "*" } : { etagMatches: row.etag };
    const written = await put(c, key, text, onlyIf);
    if (written === "busy") {
      await c.wait(SECOND_MS);
      continue;
    }
    if (written !== null) {
      return markPinWritten(c, name, written.etag);
    }
    const found = await bucketOperation("head", () => c.bucket.head(key));
    row = { ...row, etag: found?.etag ?? null };
  }
  throw new Refused({ kind: "modified-concurrently", key });
}

async function put(
  c: CatalogContext,
  key: string,
  text: string,
  onlyIf: R2Conditional,
): Promise<R2Object | null | "busy"> {
  try {
    const httpMetadata = { contentType: "application/json" };
    return (await c.bucket.put(key, text, { onlyIf, httpMetadata })) as R2Object | null;
  } catch (error) {
    if (r2Code(error) === TOO_MANY_WRITES) return "busy";
    throw bucketFailure("put", error);
  }
}

function keepOf(row: PinRow): Keep {
  return {
    ...(row.keep_revisions !== null && { keepRevisions: row.keep_revisions }),
    ...(row.keep_days !== null && { keepDays: row.keep_days }),
  };
}

interface KeptRevision extends NumberedRevision {
  /** When it is kept no longer, in milliseconds since the epoch; `undefined`: not by time. */
  readonly until: number | undefined;
}

/** The newest first, after a place in their list. At most `limit`. */
function keptRevisions(
  c: CatalogContext,
  row: PinRow,
  limit: number,
  after?: RevisionPosition,
): KeptRevision[] {
  const keep = keepOf(row);
  const [newest] = revisionsOf(c, row.name, 1);
  return revisionsOf(c, row.name, limit, after?.number)
    .map((revision) => {
      const index = (newest ?? revision).number - revision.number;
      return { ...revision, until: untilOf(revision.pinned, index, keep) };
    })
    .filter(({ until }) => until === undefined || until > c.now());
}

/** `undefined` for a pin that does not exist. */
function pinOf(c: CatalogContext, name: string, { limit, after }: RevisionQuery): Pin | undefined {
  const row = pinRow(c, name);
  const [newest] = revisionsOf(c, name, 1);
  if (row === undefined || newest === undefined) return undefined;
  const kept = keptRevisions(c, row, limit + 1, after);
  const shown = kept.slice(0, limit);
  const last = shown.at(-1);
  const { keep_revisions, keep_days } = row;
  const store_path = `${c.config.storeDir}/${newest.hash}-${newest.name}`;
  return {
    ...{ name, store_path, keep_revisions, keep_days },
    revisions: shown.map(({ hash, name, pinned, pinnedBy, until }) => ({
      store_path: `${c.config.storeDir}/${hash}-${name}`,
      pinned: isoTime(pinned),
      pinned_by: pinnedBy,
      until: until === undefined ? null : isoTime(until),
    })),
    ...(kept.length > limit && last !== undefined && { next: { number: last.number } }),
  };
}
