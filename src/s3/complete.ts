// Completes a multipart upload: the parts become an object, and the object a NAR if its hash is the one in its name.
import { sha256Of, sha256OfNarKey } from "../bucket/nar-object.ts";
import { bucketOperation, NO_SUCH_UPLOAD, r2Code } from "../bucket/operation.ts";
import { promote } from "../bucket/promote.ts";
import { abortInBucket, stagingKey } from "../bucket/staging.ts";
import type { Context, Handler } from "../context.ts";
import type { UploadedPart } from "../contract/uploads.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { S3Error } from "../http/s3-error.ts";
import { completeDocument, type RequestedPart, readCompleteRequest } from "../http/xml.ts";
import { xmlResponse } from "./answer.ts";
import { uploading } from "./multipart.ts";
import { noSuchUpload, parseUploadId, type UploadId } from "./upload-id.ts";

/** Enough for 10,000 parts with the checksums that some clients repeat. */
const MAX_LIST_BYTES = 4 * 1024 * 1024;

/** Answers `POST key?uploadId=U`. Idempotent: a client without a response repeats the request. */
export const completeUpload: Handler = async (context) => {
  const { request, path, bucket, catalog, query } = context;
  const sha256 = sha256OfNarKey(path);
  const upload = parseUploadId(new URLSearchParams(query).get("uploadId") ?? "");
  const requested = readCompleteRequest(decodeUtf8(await readBody(request, MAX_LIST_BYTES)));
  const known = await catalog((c) => c.uploadParts(upload.id, path));
  if (known !== undefined) checkParts(requested, known);
  // Before `head`: from now on the key is not deleted, so that its result stays true.
  await announce(context, requested, known, sha256);
  const stored = await bucketOperation("head", () => bucket.head(path));
  const isStored = stored !== null && sha256Of(stored) === sha256;
  if (known === undefined) {
    if (!isStored) throw noSuchUpload();
    // An earlier attempt has completed it.
    return completed(context, stored.etag);
  }
  if (isStored) {
    await abortInBucket(bucket, upload, path);
    await catalog((c) => c.endUpload(upload.id));
    return completed(context, stored.etag);
  }
  await assemble(context, upload, requested);
  // Continues if the client disconnects.
  const promotion = promoteStaged(context, upload, sha256);
  context.afterwards(promotion.catch(() => undefined));
  const etag = await promotion;
  // Otherwise the edge could serve the damaged object for a year, the max-age of a NAR.
  if (stored !== null) context.purge([`/${path}`]);
  // If this fails, the object is swept in a week.
  context.afterwards(discardStaged(context, upload));
  return completed(context, etag);
};

/** Protects the NAR from deletion: before its upload, or as one that a pusher has found. */
async function announce(
  { catalog, path }: Context,
  requested: readonly RequestedPart[],
  known: readonly UploadedPart[] | undefined,
  sha256: string,
): Promise<void> {
  if (known === undefined) {
    await catalog((c) => c.touchNar(path));
    return;
  }
  const numbers = new Set(requested.map(({ number }) => number));
  const size = known.reduce((sum, part) => sum + (numbers.has(part.number) ? part.size : 0), 0);
  return catalog((c) => c.announceNar({ key: path, size, sha256 }));
}

function completed({ request, config, path }: Context, etag: string): Response {
  return xmlResponse(completeDocument(request.url.replace(/\?.*$/, ""), config.cacheName, path, etag));
}

/** Parts must ascend, and each must have been uploaded with the given ETag. Throws {@link S3Error} 400. */
function checkParts(requested: readonly RequestedPart[], known: readonly UploadedPart[]): void {
  const etags = new Map(known.map((part) => [part.number, part.etag]));
  let previous = 0;
  for (const { number, etag } of requested) {
    if (number <= previous) {
      throw new S3Error(400, "InvalidPartOrder", `part ${number} comes after part ${previous} in the list`);
    }
    previous = number;
    if (etags.get(number) === etag) continue;
    const why = etags.has(number) ? "has another ETag" : "was not uploaded";
    throw new S3Error(400, "InvalidPart", `part ${number} ${why}; upload it again`);
  }
}

async function assemble(
  { bucket, path }: Context,
  { id, r2Id }: UploadId,
  requested: readonly RequestedPart[],
): Promise<void> {
  const parts = requested.map(({ number, etag }) => ({ partNumber: number, etag }));
  await uploading("complete upload", async () => {
    try {
      await bucket.resumeMultipartUpload(stagingKey(id, path), r2Id).complete(parts);
    } catch (error) {
      // An earlier attempt has assembled it.
      if (r2Code(error) !== NO_SUCH_UPLOAD) throw error;
    }
  });
}

/** Returns the NAR's ETag. */
async function promoteStaged(context: Context, upload: UploadId, sha256: string): Promise<string> {
  const { bucket, path } = context;
  const staged = await bucketOperation("get", () => bucket.get(stagingKey(upload.id, path)));
  if (staged === null) throw noSuchUpload();
  try {
    return await promote(bucket, staged, path, sha256);
  } catch (error) {
    // Wrong content is useless: delete it. After an outage keep the object for the client's next attempt.
    if (error instanceof S3Error) await discardStaged(context, upload);
    throw error;
  } finally {
    // An unread body would hold the connection.
    if (!staged.bodyUsed) await staged.body.cancel();
  }
}

async function discardStaged({ bucket, catalog, path }: Context, { id }: UploadId): Promise<void> {
  await bucketOperation("delete", () => bucket.delete(stagingKey(id, path)));
  await catalog((c) => c.endUpload(id));
}
