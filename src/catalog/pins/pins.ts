// Pins: names for paths that must stay. The rows protect the paths. The object in the bucket is a copy from which a
// reindex restores them. A PUT is confirmed after both are written.
import { PIN_FOLDER } from "../../bucket/kinds.ts";
import { bucketFailure, bucketOperation, r2Code, TOO_MANY_WRITES } from "../../bucket/operation.ts";
import type { Keep, Pin, PinPage, PinQuery, PinRequest } from "../../contract/pins.ts";
import type { CatalogContext } from "../context.ts";
import { importPathFromBucket } from "../publish/import.ts";
import { executeDeletions, resolveKey } from "../publish/resolve.ts";
import { Refused } from "../refuse.ts";
import { hasIntent, recordIntent } from "../rows/intents.ts";
import { pathRow } from "../rows/paths.ts";
import {
  deletePinRows,
  markPinWritten,
  type PinRow,
  pinNames,
  pinRow,
  type Revision,
  revisionsOf,
  unwrittenPins,
} from "../rows/pins.ts";
import { isoTime } from "../times.ts";
import { savePin } from "./keep.ts";
import { formatPin } from "./object.ts";

/** Retries before reporting that the object of the pin keeps changing concurrently. */
const MAX_ATTEMPTS = 4;
/** R2 takes one write a second to a key. */
const SECOND_MS = 1100;

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
    const earlier = revisionsOf(c, name);
    const isSame = earlier[0]?.hash === hash;
    const newest: Revision = { hash, name: request.name, pinned: c.now(), pinnedBy: by };
    c.transaction(() => savePin(c, name, request, isSame ? earlier : [newest, ...earlier]));
    await writePin(c, name);
    return pinOf(c, name) as Pin;
  });
}

/** Throws {@link Refused} no-such-pin. */
export function deletePin(c: CatalogContext, name: string): Promise<void> {
  const key = PIN_FOLDER + name;
  return c.locks.run(key, async () => {
    // A pin whose deletion got no response has no row any more.
    if (pinRow(c, name) === undefined && !hasIntent(c, key)) throw new Refused({ kind: "no-such-pin", name });
    // An earlier deletion without a response must have ended, or it could delete the object of a later PUT.
    await resolveKey(c, key);
    await removePin(c, name);
  });
}

/** Throws {@link Refused} no-such-pin. */
export function getPin(c: CatalogContext, name: string): Pin {
  const pin = pinOf(c, name);
  if (pin === undefined) throw new Refused({ kind: "no-such-pin", name });
  return pin;
}

/** By name. */
export function listPins(c: CatalogContext, { limit, after }: PinQuery): PinPage {
  const names = pinNames(c, after?.name ?? "", limit + 1);
  const shown = names.slice(0, limit);
  const last = shown.at(-1);
  return {
    pins: shown.flatMap((name) => pinOf(c, name) ?? []),
    ...(names.length > limit && last !== undefined && { next: { name: last } }),
  };
}

/** Writes outdated objects of pins, {@link MAX_WRITTEN} at most. Returns how many. */
export async function writePins(c: CatalogContext): Promise<number> {
  const names = unwrittenPins(c, MAX_WRITTEN);
  for (const name of names) await c.locks.run(PIN_FOLDER + name, () => writePin(c, name));
  return names.length;
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
  const revisions = revisionsOf(c, name);
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

/** `undefined` for a pin that does not exist. */
function pinOf(c: CatalogContext, name: string): Pin | undefined {
  const row = pinRow(c, name);
  const revisions = revisionsOf(c, name).map(({ hash, name, pinned, pinnedBy, until }) => ({
    store_path: `${c.config.storeDir}/${hash}-${name}`,
    pinned: isoTime(pinned),
    pinned_by: pinnedBy,
    until: until === undefined ? null : isoTime(until),
  }));
  if (row === undefined || revisions[0] === undefined) return undefined;
  const { keep_revisions, keep_days } = row;
  return { name, store_path: revisions[0].store_path, keep_revisions, keep_days, revisions };
}
