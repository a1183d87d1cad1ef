// Completes a multipart upload: the parts become an object, if it is one that could be sent in one piece.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { requireWritable, unchanged } from "../bucket/conditional.ts";
import { MAX_SINGLE_PUT_BYTES, NAR } from "../bucket/kinds.ts";
import { sha256Of } from "../bucket/nar-object.ts";
import { type NarTarget, narTarget } from "../bucket/nar-target.ts";
import { bucketOperation, NO_SUCH_UPLOAD, r2Code } from "../bucket/operation.ts";
import { promote } from "../bucket/promote.ts";
import { s3Etag } from "../bucket/s3-etag.ts";
import { abortInBucket, stagingKey } from "../bucket/staging.ts";
import type { Context, Handler } from "../context.ts";
import type { UploadedPart, UploadOutcome } from "../contract/uploads.ts";
import { withoutAwsChunked } from "../http/aws-chunked.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { type CheckedRequest, checkedRequest, isChecksum } from "../http/declared-checksums.ts";
import { HttpError } from "../http/errors.ts";
import { writeCondition } from "../http/preconditions.ts";
import { S3Error } from "../http/s3-error.ts";
import { completeDocument, type RequestedPart, readCompleteRequest } from "../http/xml.ts";
import { xmlResponse } from "./answer.ts";
import { codeOf } from "./errors.ts";
import { uploading } from "./multipart.ts";
import { noSuchUpload, parseUploadId, type UploadId } from "./upload-id.ts";

/** Enough for 10,000 parts with the checksums that some clients repeat. */
const MAX_LIST_BYTES = 4 * 1024 * 1024;

/**
 * Answers `POST key?uploadId=U`. Idempotent: a client without a response repeats the request, and one that was refused
 * is refused for the same reason. What is no NAR is small, and `put` stores it as if it had come in one piece.
 */
export function completeUpload(put: Handler): Handler {
  return async (context) => {
    const { request, path, catalog, query } = context;
    const upload = parseUploadId(new URLSearchParams(query).get("uploadId") ?? "");
    const requested = readCompleteRequest(decodeUtf8(await readBody(request, MAX_LIST_BYTES)));
    const known = await catalog((c) => c.uploadParts(upload.id, path));
    if (known !== undefined) checkParts(requested, known);
    const asked = { upload, requested, known };
    return NAR.pattern.test(path) ? completeNar(context, asked) : completeSmall(context, asked, put);
  };
}

interface Asked {
  readonly upload: UploadId;
  readonly requested: readonly RequestedPart[];
  /** `undefined`: there is no such upload in flight. */
  readonly known: readonly UploadedPart[] | undefined;
}

async function completeNar(context: Context, { upload, requested, known }: Asked): Promise<Response> {
  const { request, path, bucket, catalog } = context;
  const target = narTarget(path, carriesSigV4(request));
  const { key, sha256 } = target;
  // Before `head`: from now on the key is not deleted, so that its result stays true.
  await announce(context, requested, known, target);
  const stored = await bucketOperation("head", () => bucket.head(key));
  const isStored = stored !== null && sha256Of(stored) === sha256;
  if (known === undefined) {
    if (!isStored) throw await refusalOfEnded(context, upload);
    // An earlier attempt has completed it.
    return completed(context, stored.etag);
  }
  const condition = writeCondition(request.headers);
  requireWritable(condition, stored);
  if (isStored) {
    await abortInBucket(bucket, upload, path);
    const { etag } = stored;
    await catalog((c) => c.endUpload(upload.id, { etag }));
    return completed(context, etag);
  }
  await assemble(context, upload, requested);
  // Continues if the client disconnects.
  const promotion = promoteStaged(context, upload, target, condition && unchanged(stored));
  context.afterwards(promotion.catch(() => undefined));
  const etag = await promotion;
  // Otherwise the edge could serve the damaged object for a year, the max-age of a NAR.
  if (stored !== null) context.purge([`/${key}`]);
  // If this fails, the object is swept in a week.
  context.afterwards(discardStaged(context, upload, { etag }));
  return completed(context, etag);
}

async function completeSmall(
  context: Context,
  { upload, requested, known }: Asked,
  put: Handler,
): Promise<Response> {
  const { bucket, catalog, path } = context;
  if (known === undefined) {
    const outcome = await catalog((c) => c.uploadOutcome(upload.id, path));
    if (outcome !== undefined && "etag" in outcome) return completed(context, outcome.etag);
    throw await refusalOfEnded(context, upload);
  }
  await assemble(context, upload, requested);
  const staged = await bucketOperation("get", () => bucket.get(stagingKey(upload.id, path)));
  if (staged === null) throw await refusalOfEnded(context, upload);
  try {
    // Without the bucket's own check: the whole has a checksum that the parts have not.
    const checked = checkedRequest(putOf(context.request, staged), undefined);
    const response = await putChecked(put, context, checked);
    const etag = response.headers.get("ETag")?.slice(1, -1) ?? (await etagOf(context));
    await discardStaged(context, upload, { etag });
    return completed(context, etag);
  } catch (error) {
    if (error instanceof HttpError && IS_FINAL.includes(error.status)) {
      await discardStaged(context, upload, outcomeOf(error));
    }
    throw error;
  } finally {
    if (!staged.bodyUsed) await staged.body.cancel();
  }
}

/** Refusals of the content itself. Others may pass: a reference is still missing, or a condition does not hold. */
const IS_FINAL: readonly number[] = [400, 413, 415];

async function putChecked(put: Handler, context: Context, checked: CheckedRequest): Promise<Response> {
  try {
    return await put({ ...context, request: checked.request });
  } catch (error) {
    throw checked.failure() ?? error;
  }
}

/** The PUT that an upload stands for, under the conditions of its completion, and with the checksum of the whole. */
function putOf({ url, headers: sent }: Request, staged: R2ObjectBody): Request {
  const headers = new Headers(sent);
  // Of the list of parts.
  headers.delete("Content-MD5");
  const isComposite = sent.get("x-amz-checksum-type")?.toUpperCase() === "COMPOSITE";
  for (const [name, value] of sent) {
    // Of the parts' checksums, and how many there are.
    if (isChecksum(name) && (isComposite || /-\d+$/.test(value))) headers.delete(name);
  }
  headers.delete("Content-Encoding");
  headers.set("Content-Length", String(staged.size));
  const encoding = withoutAwsChunked(staged.httpMetadata?.contentEncoding ?? null);
  if (encoding !== null) headers.set("Content-Encoding", encoding);
  return new Request(url, { method: "PUT", headers, body: staged.body });
}

async function etagOf({ bucket, path }: Context): Promise<string> {
  const stored = await bucketOperation("head", () => bucket.head(path));
  return s3Etag(path, stored?.etag ?? "");
}

/** Why an upload cannot be completed that is not in flight: as its client was told, or that there is none. */
async function refusalOfEnded({ catalog, path }: Context, upload: UploadId): Promise<S3Error> {
  const outcome = await catalog((c) => c.uploadOutcome(upload.id, path));
  if (outcome === undefined || "etag" in outcome) return noSuchUpload();
  return new S3Error(outcome.status, outcome.code, outcome.message);
}

function outcomeOf(error: HttpError): UploadOutcome {
  const { status, message } = error;
  return { status, code: codeOf(error), message };
}

/** Protects the NAR from deletion: before its upload, or as one that a pusher has found. */
async function announce(
  { catalog }: Context,
  requested: readonly RequestedPart[],
  known: readonly UploadedPart[] | undefined,
  target: NarTarget,
): Promise<void> {
  if (known === undefined) {
    await catalog((c) => c.touchNar(target.key));
    return;
  }
  const numbers = new Set(requested.map(({ number }) => number));
  const size = known.reduce((sum, part) => sum + (numbers.has(part.number) ? part.size : 0), 0);
  await catalog((c) => c.announceNar({ ...target, size }));
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
async function promoteStaged(
  context: Context,
  upload: UploadId,
  { key, sha256 }: NarTarget,
  onlyIf: R2Conditional | undefined,
): Promise<string> {
  const { bucket, path } = context;
  const staged = await bucketOperation("get", () => bucket.get(stagingKey(upload.id, path)));
  if (staged === null) throw await refusalOfEnded(context, upload);
  try {
    return await promote(bucket, staged, key, sha256, MAX_SINGLE_PUT_BYTES, onlyIf);
  } catch (error) {
    // Wrong content is useless: delete it. After an outage keep the object for the client's next attempt.
    if (error instanceof S3Error) await discardStaged(context, upload, outcomeOf(error));
    throw error;
  } finally {
    // An unread body would hold the connection.
    if (!staged.bodyUsed) await staged.body.cancel();
  }
}

async function discardStaged(
  { bucket, catalog, path }: Context,
  { id }: UploadId,
  outcome: UploadOutcome,
): Promise<void> {
  await bucketOperation("delete", () => bucket.delete(stagingKey(id, path)));
  await catalog((c) => c.endUpload(id, outcome));
}
