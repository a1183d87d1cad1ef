// The tables `uploads` and `upload_parts`: multipart uploads in flight. The bucket's binding can list neither.
import type {
  ListedUpload,
  NewPart,
  NewUpload,
  UploadedPart,
  UploadOutcome,
  UploadQuery,
} from "../../contract/uploads.ts";
import type { CatalogContext } from "../context.ts";
import { insert } from "./insert.ts";

export function beginUpload(c: CatalogContext, { id, narKey, r2Id, pushedBy }: NewUpload): void {
  insert(c, "uploads", { id, nar: narKey, r2_id: r2Id, started: c.now(), pushed_by: pushedBy });
}

/** Records a part; a repeated part replaces the earlier. False for an upload that does not exist (any more). */
export function recordPart(c: CatalogContext, id: string, { number, etag, size }: NewPart): boolean {
  return (
    c.sql
      .exec(
        `INSERT INTO upload_parts (upload, number, etag, size, uploaded)
         SELECT id, ?, ?, ?, ? FROM uploads WHERE id = ? AND outcome IS NULL
         ON CONFLICT (upload, number) DO UPDATE SET etag = excluded.etag, size = excluded.size,
           uploaded = excluded.uploaded
         RETURNING number`,
        number,
        etag,
        size,
        c.now(),
        id,
      )
      .toArray().length > 0
  );
}

/** The parts so far, by number; `undefined` for an upload that does not exist (any more). */
export function uploadParts(c: CatalogContext, id: string, narKey: string): UploadedPart[] | undefined {
  const upload = c.sql
    .exec("SELECT 1 FROM uploads WHERE id = ? AND nar = ? AND outcome IS NULL", id, narKey)
    .toArray();
  if (upload.length === 0) return undefined;
  return c.sql
    .exec<{ number: number; etag: string; size: number; uploaded: number }>(
      "SELECT number, etag, size, uploaded FROM upload_parts WHERE upload = ? ORDER BY number",
      id,
    )
    .toArray();
}

/** The row stays, for the answers to a client that asks again, until uploads of its age are swept. */
export function endUpload(c: CatalogContext, id: string, outcome: UploadOutcome): void {
  c.transaction(() => {
    c.sql.exec("DELETE FROM upload_parts WHERE upload = ?", id);
    c.sql.exec("UPDATE uploads SET outcome = ? WHERE id = ?", JSON.stringify(outcome), id);
  });
}

export function deleteUpload(c: CatalogContext, id: string): void {
  c.transaction(() => {
    c.sql.exec("DELETE FROM upload_parts WHERE upload = ?", id);
    c.sql.exec("DELETE FROM uploads WHERE id = ?", id);
  });
}

/** How an upload ended; `undefined` for one in flight, and where that is not known (any more). */
export function uploadOutcome(c: CatalogContext, id: string, narKey: string): UploadOutcome | undefined {
  const [row] = c.sql
    .exec<{ outcome: string | null }>("SELECT outcome FROM uploads WHERE id = ? AND nar = ?", id, narKey)
    .toArray();
  return row === undefined || row.outcome === null ? undefined : (JSON.parse(row.outcome) as UploadOutcome);
}

/** Uploads in flight whose key has a prefix, in the order of key and id. */
export function listUploads(
  c: CatalogContext,
  { prefix, afterKey, afterId, limit }: UploadQuery,
): ListedUpload[] {
  return c.sql
    .exec<{ id: string; r2Id: string; key: string; started: number }>(
      `SELECT id, r2_id AS r2Id, nar AS key, started FROM uploads
       WHERE nar >= ?1 AND substr(nar, 1, length(?1)) = ?1 AND (nar > ?2 OR (nar = ?2 AND id > ?3))
         AND outcome IS NULL
       ORDER BY nar, id LIMIT ?4`,
      prefix,
      afterKey,
      // No id is greater.
      afterId ?? "\uffff",
      limit,
    )
    .toArray();
}

/** Uploads at which counting them ends. */
const MAX_COUNTED = 1000;

/** How many are under way, of the first {@link MAX_COUNTED}. */
export function countUploads(c: CatalogContext): number {
  return c.sql
    .exec<{ count: number }>(
      "SELECT count(*) FILTER (WHERE outcome IS NULL) AS count FROM (SELECT outcome FROM uploads LIMIT ?)",
      MAX_COUNTED,
    )
    .one().count;
}

/** Uploads begun before `before` (milliseconds since the epoch), the oldest first. At most `limit`. */
export function staleUploads(
  c: CatalogContext,
  before: number,
  limit: number,
): { readonly id: string; readonly nar: string; readonly r2Id: string; readonly isEnded: number }[] {
  return c.sql
    .exec<{ id: string; nar: string; r2Id: string; isEnded: number }>(
      `SELECT id, nar, r2_id AS r2Id, outcome IS NOT NULL AS isEnded FROM uploads WHERE started <= ?
       ORDER BY started LIMIT ?`,
      before,
      limit,
    )
    .toArray();
}

/** When the oldest upload of a row began, in milliseconds since the epoch; `null` if there is none. */
export function oldestUpload(c: CatalogContext): number | null {
  return c.sql.exec<{ oldest: number | null }>("SELECT min(started) AS oldest FROM uploads").one().oldest;
}
