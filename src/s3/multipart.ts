// S3's multipart uploads, for NARs above the platform's body limit, and for everything that a client sends in parts.
// Parts stream to a staging key; the object appears under its own key when it is complete and checked.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { NAR } from "../bucket/kinds.ts";
import { narTarget } from "../bucket/nar-target.ts";
import { bucketFailure, bucketOperation, NO_SUCH_UPLOAD, r2Code } from "../bucket/operation.ts";
import { abortInBucket, stagingKey } from "../bucket/staging.ts";
import type { Handler } from "../context.ts";
import { contentLength } from "../http/body.ts";
import type { HttpError } from "../http/errors.ts";
import { S3Error } from "../http/s3-error.ts";
import { initiateDocument, listPartsDocument } from "../http/xml.ts";
import { xmlResponse } from "./answer.ts";
import { numberOf } from "./parameters.ts";
import { formatUploadId, noSuchUpload, parseUploadId } from "./upload-id.ts";

const MAX_PARTS = 10_000;
const MAX_PART_BYTES = 5 * 1024 ** 3;
/** Parts in one page of a listing, as in S3. */
const LIST_PAGE = 1000;
/** R2's error codes. https://developers.cloudflare.com/r2/api/error-codes/ */
const ENTITY_TOO_SMALL = 10011;
const INVALID_PART = 10025;
const UNEQUAL_PARTS = 10048;

/** Answers `POST key?uploads`. */
export const createUpload: Handler = async ({ request, path, bucket, catalog, config, identity }) => {
  const isNar = NAR.pattern.test(path);
  // Refuses a wrong name before a gigabyte is uploaded.
  if (isNar) narTarget(path, carriesSigV4(request));
  const contentEncoding = request.headers.get("Content-Encoding") ?? undefined;
  if (isNar && contentEncoding !== undefined) {
    throw new S3Error(
      415,
      "InvalidRequest",
      "a NAR is stored as it was hashed: send it without Content-Encoding",
    );
  }
  const httpMetadata = {
    contentType: NAR.contentType,
    ...(contentEncoding !== undefined && { contentEncoding }),
  };
  const id = crypto.randomUUID();
  const { uploadId: r2Id } = await bucketOperation("create upload", () =>
    bucket.createMultipartUpload(stagingKey(id, path), { httpMetadata }),
  );
  // After a crash before this line, R2 drops the upload in a week.
  await catalog((c) => c.beginUpload({ id, r2Id, narKey: path, pushedBy: identity.name }));
  return xmlResponse(initiateDocument(config.cacheName, path, formatUploadId({ id, r2Id })));
};

/** Answers `PUT key?partNumber=N&uploadId=U`: one bucket operation, the body untouched. */
export const uploadPart: Handler = async ({ request, path, bucket, catalog, query }) => {
  const parameters = new URLSearchParams(query);
  const number = numberOf(parameters, "partNumber", 0);
  if (number < 1 || number > MAX_PARTS) {
    throw new S3Error(400, "InvalidArgument", `partNumber must be from 1 to ${MAX_PARTS}`);
  }
  const size = contentLength(request);
  if (size === undefined) throw new S3Error(411, "MissingContentLength", "a part needs a Content-Length");
  if (size > MAX_PART_BYTES) throw new S3Error(400, "EntityTooLarge", "a part has at most 5 GiB");
  const { id, r2Id } = parseUploadId(parameters.get("uploadId") ?? "");
  const { etag } = await uploading("upload part", () =>
    bucket
      .resumeMultipartUpload(stagingKey(id, path), r2Id)
      .uploadPart(number, request.body ?? new Uint8Array()),
  );
  // After a crash before this line, the part is not listed, and a client that resumes sends it again.
  if (!(await catalog((c) => c.recordPart(id, { number, etag, size })))) throw noSuchUpload();
  return new Response(null, { headers: { ETag: `"${etag}"`, "Cache-Control": "no-store" } });
};

/** Answers `GET key?uploadId=U`: the parts so far, for a client that resumes. */
export const listParts: Handler = async ({ path, catalog, config, query }) => {
  const parameters = new URLSearchParams(query);
  const uploadId = parameters.get("uploadId") ?? "";
  const { id } = parseUploadId(uploadId);
  const partNumberMarker = numberOf(parameters, "part-number-marker", 0);
  const maxParts = Math.min(numberOf(parameters, "max-parts", LIST_PAGE), LIST_PAGE);
  const known = await catalog((c) => c.uploadParts(id, path));
  if (known === undefined) throw noSuchUpload();
  const rest = known.filter(({ number }) => number > partNumberMarker);
  const parts = rest.slice(0, maxParts);
  const isTruncated = rest.length > parts.length;
  return xmlResponse(
    listPartsDocument({
      bucket: config.cacheName,
      key: path,
      uploadId,
      partNumberMarker,
      maxParts,
      isTruncated,
      parts: parts.map(({ uploaded, ...part }) => ({ ...part, lastModified: new Date(uploaded) })),
    }),
  );
};

/**
 * Answers `DELETE key?uploadId=U`. An upload that has ended is aborted: clients abort what has failed, and would report a refusal of
 * that instead of the reason.
 */
export const abortUpload: Handler = async ({ path, bucket, catalog, query }) => {
  const upload = parseUploadId(new URLSearchParams(query).get("uploadId") ?? "");
  if ((await catalog((c) => c.uploadParts(upload.id, path))) === undefined) {
    if ((await catalog((c) => c.uploadOutcome(upload.id, path))) === undefined) throw noSuchUpload();
  } else {
    const { status, code, message } = noSuchUpload();
    await abortInBucket(bucket, upload, path);
    await catalog((c) => c.endUpload(upload.id, { status, code, message }));
  }
  return new Response(null, { status: 204, headers: { "Cache-Control": "no-store" } });
};

/** Runs an operation on an upload; R2's errors become S3's. */
export async function uploading<T>(operation: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw uploadFailure(operation, error);
  }
}

function uploadFailure(operation: string, error: unknown): HttpError {
  switch (r2Code(error)) {
    case NO_SUCH_UPLOAD:
      return noSuchUpload();
    case ENTITY_TOO_SMALL:
      return new S3Error(400, "EntityTooSmall", "every part but the last needs at least 5 MiB");
    case INVALID_PART:
      return new S3Error(400, "InvalidPart", "a part was not uploaded, or its ETag is another");
    case UNEQUAL_PARTS:
      return new S3Error(400, "InvalidPart", "all parts but the last must have the same size");
    default:
      return bucketFailure(operation, error);
  }
}
