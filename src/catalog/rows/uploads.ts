// The rows of multipart uploads under way: the bucket's binding can list neither uploads nor their parts.
import { abortInBucket } from "../../bucket/staging.ts";
import type { NewPart, NewUpload, UploadedPart } from "../../contract/uploads.ts";
import type { CatalogContext } from "../context.ts";

/** Milliseconds after which an upload that was never completed is cleaned up; R2 forgets its parts then as well. */
export const MAX_UPLOAD_AGE_MS = 7 * 24 * 3600 * 1000;
/** Uploads cleaned up in one go, with two bucket operations each. */
const SWEEP_BATCH = 100;

export function beginUpload(c: CatalogContext, { id, narKey, r2Id, pushedBy }: NewUpload): void {
  c.sql.exec("INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", id, narKey, r2Id, c.now(), pushedBy);
}

/** Notes a part; one that is sent again replaces the earlier. False for an upload that there is not (any more). */
export function recordPart(c: CatalogContext, id: string, { number, etag, size }: NewPart): boolean {
  return (
    c.sql
      .exec(
        `INSERT INTO upload_parts SELECT id, ?, ?, ?, ? FROM uploads WHERE id = ?
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

/** The parts so far, by number; `undefined` for an upload that there is not (any more). */
export function uploadParts(c: CatalogContext, id: string, narKey: string): UploadedPart[] | undefined {
  const upload = c.sql.exec("SELECT 1 FROM uploads WHERE id = ? AND nar = ?", id, narKey).toArray();
  if (upload.length === 0) return undefined;
  return c.sql
    .exec<{ number: number; etag: string; size: number; uploaded: number }>(
      "SELECT number, etag, size, uploaded FROM upload_parts WHERE upload = ? ORDER BY number",
      id,
    )
    .toArray();
}

export function endUpload(c: CatalogContext, id: string): void {
  c.transaction(() => {
    c.sql.exec("DELETE FROM upload_parts WHERE upload = ?", id);
    c.sql.exec("DELETE FROM uploads WHERE id = ?", id);
  });
}

/**
 * Cleans up what was begun a week ago and never completed, or died between completion and verification. Returns when
 * to look again, in milliseconds since the epoch; `undefined` where nothing is under way.
 */
export async function sweepUploads(c: CatalogContext): Promise<number | undefined> {
  const stale = c.sql
    .exec<{ id: string; nar: string; r2Id: string }>(
      "SELECT id, nar, r2_id AS r2Id FROM uploads WHERE started <= ? ORDER BY started LIMIT ?",
      c.now() - MAX_UPLOAD_AGE_MS,
      SWEEP_BATCH,
    )
    .toArray();
  for (const upload of stale) {
    await abortInBucket(c.bucket, upload, upload.nar);
    endUpload(c, upload.id);
  }
  const { oldest } = c.sql
    .exec<{ oldest: number | null }>("SELECT min(started) AS oldest FROM uploads")
    .one();
  return oldest === null ? undefined : Math.max(oldest + MAX_UPLOAD_AGE_MS, c.now());
}
