// The sweep of multipart uploads that were never completed.
import { abortInBucket } from "../../bucket/staging.ts";
import type { CatalogContext } from "../context.ts";
import { deleteUpload, oldestUpload, staleUploads } from "../rows/uploads.ts";

/** Milliseconds after which an upload that was never completed is aborted; R2 forgets its parts then as well. */
export const MAX_UPLOAD_AGE_MS = 7 * 24 * 3600 * 1000;
/** Uploads aborted in one call, with two bucket operations each. */
const SWEEP_BATCH = 100;

/**
 * Aborts uploads that were begun a week ago and never completed, or crashed between completion and verification.
 * Returns when the next one is due, in milliseconds since the epoch; `undefined` if no upload is in flight.
 */
export async function sweepUploads(c: CatalogContext): Promise<number | undefined> {
  for (const upload of staleUploads(c, c.now() - MAX_UPLOAD_AGE_MS, SWEEP_BATCH)) {
    if (upload.isEnded === 0) await abortInBucket(c.bucket, upload, upload.nar);
    deleteUpload(c, upload.id);
  }
  const oldest = oldestUpload(c);
  return oldest === null ? undefined : Math.max(oldest + MAX_UPLOAD_AGE_MS, c.now());
}
