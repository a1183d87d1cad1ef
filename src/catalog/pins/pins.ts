// Pins: names for paths that must stay. The rows protect; the object in the bucket is made of them, so that a catalog
// that is built anew has the pins again. Who is told that something is pinned is told after both.
import { bucketFailure, bucketOperation, r2Code, TOO_MANY_WRITES } from "../../bucket/operation.ts";
import { HttpError } from "../../http/errors.ts";
import { isoTime } from "../ask/search.ts";
import type { CatalogContext } from "../context.ts";
import { importPathFromBucket } from "../publish/publish.ts";
import { executeDeletions, resolveKey } from "../publish/settle.ts";
import { hasIntent, recordIntent } from "../rows/intents.ts";
import { pathRow } from "../rows/paths.ts";
import { formatPin, type Keep, PIN_FOLDER, type Revision, untilOf } from "./object.ts";

/** How often the pin's object may turn out to be another than the catalog knew. */
const MAX_ATTEMPTS = 4;
/** R2 takes one write a second to a key. */
const SECOND_MS = 1100;

/** Pins that one call of {@link writePins} writes: an invocation has only so many bucket operations. */
export const MAX_WRITTEN = 50;

export interface PinRequest extends Keep {
  readonly hash: string;
  /** Of the store path, after the dash. */
  readonly name: string;
}

/** Times are ISO 8601 in UTC; as it goes to the client. */
export interface Pin {
  readonly name: string;
  /** The newest. */
  readonly storePath: string;
  readonly keepRevisions: number | null;
  readonly keepDays: number | null;
  /** The newest first. */
  readonly revisions: readonly {
    readonly storePath: string;
    readonly pinned: string;
    readonly pinnedBy: string;
    /** When it ceases to be kept; null: not by time. */
    readonly until: string | null;
  }[];
}

export interface PinRow extends Record<string, SqlStorageValue> {
  name: string;
  keep_revisions: number | null;
  keep_days: number | null;
  etag: string | null;
  is_written: number;
}

/** Pins a path, as the newest revision of the name. Throws {@link HttpError} 409 for one that is not here, or 503. */
export function putPin(c: CatalogContext, name: string, request: PinRequest, by: string): Promise<Pin> {
  return c.locks.run(PIN_FOLDER + name, async () => {
    const { hash } = request;
    if (pathRow(c, hash) === undefined) await importPathFromBucket(c, hash);
    // No await between this look and the row: no deletion of the path begins in between, and none after it.
    if (pathRow(c, hash)?.name !== request.name) {
      throw new HttpError(409, `${hash}-${request.name} is not in this cache; push it first, then pin it`);
    }
    const earlier = revisionsOf(c, name);
    const isSame = earlier[0]?.hash === hash;
    const newest: Revision = { hash, name: request.name, pinned: c.now(), pinnedBy: by };
    c.transaction(() => savePin(c, name, request, isSame ? earlier : [newest, ...earlier]));
    await writePin(c, name);
    return pinOf(c, name) as Pin;
  });
}

/** Throws {@link HttpError} 404 or 503. */
export function deletePin(c: CatalogContext, name: string): Promise<void> {
  const key = PIN_FOLDER + name;
  return c.locks.run(key, async () => {
    // One whose deletion got no answer has no row any more.
    if (pinRow(c, name) === undefined && !hasIntent(c, key)) throw noPin(name);
    // An earlier deletion without an answer must be over, or it would take what is put after this one.
    await resolveKey(c, key);
    await removePin(c, name);
  });
}

/** Throws {@link HttpError} 404. */
export function getPin(c: CatalogContext, name: string): Pin {
  const pin = pinOf(c, name);
  if (pin === undefined) throw noPin(name);
  return pin;
}

/** All of them, by name. */
export function listPins(c: CatalogContext): Pin[] {
  return c.sql
    .exec<{ name: string }>("SELECT name FROM pins ORDER BY name")
    .toArray()
    .flatMap(({ name }) => pinOf(c, name) ?? []);
}

/** Names of the pins in whose closure a path is; the path itself included. At most `limit`. */
export function pinsHolding(c: CatalogContext, hash: string, limit: number): string[] {
  return c.sql
    .exec<{ pin: string }>(
      `WITH RECURSIVE above (hash) AS (VALUES (?) UNION SELECT referrer FROM above JOIN refs ON reference = hash)
       SELECT DISTINCT pin FROM pin_revisions
       WHERE hash IN (SELECT hash FROM above) AND (until IS NULL OR until > ?) ORDER BY pin LIMIT ?`,
      hash,
      c.now(),
      limit,
    )
    .toArray()
    .map(({ pin }) => pin);
}

/** Those of these paths that are pinned themselves. */
export function pinnedOf(c: CatalogContext, hashes: readonly string[]): Set<string> {
  return new Set(
    c.sql
      .exec<{ hash: string }>(
        `SELECT hash FROM pin_revisions
         WHERE hash IN (SELECT value FROM json_each(?)) AND (until IS NULL OR until > ?)`,
        JSON.stringify(hashes),
        c.now(),
      )
      .toArray()
      .map((row) => row.hash),
  );
}

/** Writes the rows of a pin. Call it in a transaction. */
export function savePin(c: CatalogContext, name: string, keep: Keep, revisions: readonly Revision[]): void {
  c.sql.exec(
    `INSERT INTO pins VALUES (?, ?, ?, NULL, 0) ON CONFLICT (name) DO UPDATE SET
       keep_revisions = excluded.keep_revisions, keep_days = excluded.keep_days, is_written = 0`,
    name,
    keep.keepRevisions ?? null,
    keep.keepDays ?? null,
  );
  c.sql.exec("DELETE FROM pin_revisions WHERE pin = ?", name);
  const kept = revisions
    .map((revision, index) => ({ ...revision, until: untilOf(revision, index, keep) }))
    .filter(({ until }) => until === undefined || until > c.now());
  for (const [index, { hash, name: pathName, pinned, pinnedBy, until = null }] of kept.entries()) {
    const number = kept.length - index;
    c.sql.exec(
      "INSERT INTO pin_revisions VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...[name, number, hash, pathName, pinned, pinnedBy, until],
    );
  }
}

/** Brings what failed, or died, into the bucket: {@link MAX_WRITTEN} of them at most. How many. */
export async function writePins(c: CatalogContext): Promise<number> {
  const names = c.sql
    .exec<{ name: string }>("SELECT name FROM pins WHERE is_written = 0 LIMIT ?", MAX_WRITTEN)
    .toArray();
  for (const { name } of names) await c.locks.run(PIN_FOLDER + name, () => writePin(c, name));
  return names.length;
}

/** Removes a pin, by one who holds the lock. The intention outlives a deletion without an answer: {@link resolveKey}. */
async function removePin(c: CatalogContext, name: string): Promise<void> {
  const key = PIN_FOLDER + name;
  c.transaction(() => {
    c.sql.exec("DELETE FROM pin_revisions WHERE pin = ?", name);
    const rows = c.sql.exec("DELETE FROM pins WHERE name = ? RETURNING name", name).toArray();
    if (rows.length > 0) recordIntent(c, { kind: "delete-pin", key });
  });
  await executeDeletions(c, [key]);
}

/** Makes the bucket say what the rows say, by one who holds the lock. */
async function writePin(c: CatalogContext, name: string): Promise<void> {
  const key = PIN_FOLDER + name;
  // An earlier deletion whose answer was lost must not take what is put now.
  await resolveKey(c, key);
  let row = pinRow(c, name);
  if (row === undefined || row.is_written === 1) return;
  const revisions = revisionsOf(c, name);
  // So an earlier version left a pin whose deletion had failed.
  if (revisions.length === 0) return removePin(c, name);
  const text = formatPin(keepOf(row), revisions, c.config.storeDir);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    // Only over what is known: an earlier put whose answer was lost may arrive now, and must not win.
    const onlyIf: R2Conditional = row.etag === null ? { etagDoesNotMatch: "*" } : { etagMatches: row.etag };
    const written = await put(c, key, text, onlyIf);
    if (written === "busy") {
      await c.wait(SECOND_MS);
      continue;
    }
    if (written !== null) {
      c.sql.exec("UPDATE pins SET etag = ?, is_written = 1 WHERE name = ?", written.etag, name);
      return;
    }
    const found = await bucketOperation("head", () => c.bucket.head(key));
    row = { ...row, etag: found?.etag ?? null };
  }
  throw new HttpError(503, `${key} is changing under this cache's hands; try again`, { "Retry-After": "1" });
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

export function pinRow(c: CatalogContext, name: string): PinRow | undefined {
  return c.sql.exec<PinRow>("SELECT * FROM pins WHERE name = ?", name).toArray()[0];
}

function keepOf(row: PinRow): Keep {
  return {
    ...(row.keep_revisions !== null && { keepRevisions: row.keep_revisions }),
    ...(row.keep_days !== null && { keepDays: row.keep_days }),
  };
}

/** The newest first. Those whose time is over are not told any more. */
function revisionsOf(c: CatalogContext, name: string): (Revision & { readonly until: number | undefined })[] {
  return c.sql
    .exec<{ hash: string; path_name: string; pinned: number; pinned_by: string; until: number | null }>(
      `SELECT hash, path_name, pinned, pinned_by, until FROM pin_revisions
       WHERE pin = ? AND (until IS NULL OR until > ?) ORDER BY number DESC`,
      name,
      c.now(),
    )
    .toArray()
    .map((row) => ({
      hash: row.hash,
      name: row.path_name,
      pinned: row.pinned,
      pinnedBy: row.pinned_by,
      until: row.until ?? undefined,
    }));
}

/** `undefined` for one that is not there. */
function pinOf(c: CatalogContext, name: string): Pin | undefined {
  const row = pinRow(c, name);
  const revisions = revisionsOf(c, name).map(({ hash, name, pinned, pinnedBy, until }) => ({
    storePath: `${c.config.storeDir}/${hash}-${name}`,
    pinned: isoTime(pinned),
    pinnedBy,
    until: until === undefined ? null : isoTime(until),
  }));
  if (row === undefined || revisions[0] === undefined) return undefined;
  const { keep_revisions: keepRevisions, keep_days: keepDays } = row;
  return { name, storePath: revisions[0].storePath, keepRevisions, keepDays, revisions };
}

function noPin(name: string): HttpError {
  return new HttpError(404, `no pin ${name} in this cache; GET /api/v1/pins lists them`);
}
