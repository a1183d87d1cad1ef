// Copies a NAR of an upstream into the bucket. The bytes go from the response to the bucket inside the runtime, and the
// bucket checks the SHA-256. A large NAR goes in parts, each a range of it, so that it survives the end of an alarm.
import { NAR } from "../../bucket/kinds.ts";
import { sha256Of } from "../../bucket/nar-object.ts";
import {
  BAD_DIGEST,
  bucketFailure,
  bucketOperation,
  NO_SUCH_UPLOAD,
  r2Code,
} from "../../bucket/operation.ts";
import { promote } from "../../bucket/promote.ts";
import { stagingKey } from "../../bucket/staging.ts";
import { S3Error } from "../../http/s3-error.ts";
import { unreachable } from "../../upstream/unreachable.ts";
import type { CatalogContext } from "../context.ts";
import { saveMirrorUpload } from "../rows/mirror.ts";
import { beginUpload, deleteUpload, recordPart, uploadParts } from "../rows/uploads.ts";

/** Bytes of a part, and of a NAR that is copied in one piece. */
export const PART_BYTES = 64 * 1024 * 1024;
/** Milliseconds for one piece. */
const PIECE_TIMEOUT_MS = 5 * 60_000;
/** Milliseconds after which an alarm begins no further part: other work of the catalog waits for it. */
const ALARM_MS = 20_000;

export interface NarSource {
  /** Absolute. */
  readonly url: string;
  /** The key that it gets. */
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** `partly`: call again. `false`: the bytes are not those of the narinfo. */
export type Copied = "whole" | "partly" | "false";

/** The upstream does not give what is asked for; the message is one line. */
export class UpstreamError extends Error {}

/** `upload` is that of an earlier call. Throws {@link UpstreamError} and what the bucket throws. */
export async function copyNar(
  c: CatalogContext,
  hash: string,
  source: NarSource,
  upload: string | null,
  partBytes = PART_BYTES,
): Promise<Copied> {
  const stored = await bucketOperation("head", () => c.bucket.head(source.key));
  if (stored !== null && sha256Of(stored) === source.sha256) return "whole";
  if (source.size <= partBytes) return copyWhole(c, source);
  return copyInParts(c, hash, source, upload, partBytes);
}

async function copyWhole({ bucket }: CatalogContext, { url, key, size, sha256 }: NarSource): Promise<Copied> {
  const body = await open(url, size);
  try {
    await sized(body, size, (known) =>
      bucket.put(key, known, { sha256, httpMetadata: { contentType: NAR.contentType } }),
    );
    return "whole";
  } catch (error) {
    if (r2Code(error) === BAD_DIGEST) return "false";
    throw error instanceof UpstreamError ? error : bucketFailure("put", error);
  }
}

async function copyInParts(
  c: CatalogContext,
  hash: string,
  { url, key, size, sha256 }: NarSource,
  earlier: string | null,
  partBytes: number,
): Promise<Copied> {
  const began = c.now();
  const id = earlier ?? (await begin(c, hash, key));
  const r2Id = r2IdOf(c, id);
  const known = uploadParts(c, id, key);
  // Swept meanwhile.
  if (r2Id === undefined || known === undefined) {
    await begin(c, hash, key);
    return "partly";
  }
  const staged = stagingKey(id, key);
  const upload = c.bucket.resumeMultipartUpload(staged, r2Id);
  const count = Math.ceil(size / partBytes);
  for (let number = known.length + 1; number <= count; number++) {
    const first = (number - 1) * partBytes;
    const length = Math.min(partBytes, size - first);
    const body = await open(url, length, first);
    const { etag } = await sized(body, length, (part) =>
      bucketOperation("upload part", () => upload.uploadPart(number, part)),
    );
    recordPart(c, id, { number, etag, size: length });
    if (number < count && c.now() - began > ALARM_MS) return "partly";
  }
  const parts = (uploadParts(c, id, key) ?? []).map((part) => ({ partNumber: part.number, etag: part.etag }));
  await bucketOperation("complete upload", async () => {
    try {
      await upload.complete(parts);
    } catch (error) {
      // An earlier attempt has assembled it.
      if (r2Code(error) !== NO_SUCH_UPLOAD) throw error;
    }
  });
  const object = await bucketOperation("get", () => c.bucket.get(staged));
  const copied = object === null ? "partly" : await promoted(c, object, key, sha256);
  await bucketOperation("delete", () => c.bucket.delete(staged));
  deleteUpload(c, id);
  if (copied === "partly") await begin(c, hash, key);
  return copied;
}

async function promoted(
  { bucket }: CatalogContext,
  object: R2ObjectBody,
  key: string,
  sha256: string,
): Promise<Copied> {
  try {
    await promote(bucket, object, key, sha256);
    return "whole";
  } catch (error) {
    if (error instanceof S3Error) return "false";
    throw error;
  } finally {
    if (!object.bodyUsed) await object.body.cancel();
  }
}

async function begin(c: CatalogContext, hash: string, key: string): Promise<string> {
  const id = crypto.randomUUID();
  const { uploadId: r2Id } = await bucketOperation("create upload", () =>
    c.bucket.createMultipartUpload(stagingKey(id, key), { httpMetadata: { contentType: NAR.contentType } }),
  );
  c.transaction(() => {
    beginUpload(c, { id, r2Id, narKey: key, pushedBy: "upstream" });
    saveMirrorUpload(c, hash, id);
  });
  return id;
}

function r2IdOf(c: CatalogContext, id: string): string | undefined {
  return c.sql.exec<{ r2_id: string }>("SELECT r2_id FROM uploads WHERE id = ?", id).toArray()[0]?.r2_id;
}

/** The bytes of a NAR, or `length` of them from `first` on. No credential is sent. */
async function open(url: string, length: number, first?: number): Promise<ReadableStream<Uint8Array>> {
  const range = first === undefined ? {} : { Range: `bytes=${first}-${first + length - 1}` };
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { "User-Agent": "nix-cache", "Accept-Encoding": "identity", ...range },
      signal: AbortSignal.timeout(PIECE_TIMEOUT_MS),
    });
  } catch (error) {
    throw new UpstreamError(`${url} ${unreachable(error)}`);
  }
  const expected = first === undefined ? 200 : 206;
  const announced = response.headers.get("Content-Length");
  const isExpected =
    response.status === expected &&
    (announced === null || Number(announced) === length) &&
    !response.headers.has("Content-Encoding");
  if (response.body !== null && isExpected) return response.body;
  await response.body?.cancel();
  throw new UpstreamError(
    `${url} answered ${response.status} with ${announced ?? "unknown"} bytes, not ${length}`,
  );
}

/** The bucket takes only streams of a known length. */
async function sized<T>(
  body: ReadableStream<Uint8Array>,
  length: number,
  put: (body: ReadableStream) => Promise<T>,
): Promise<T> {
  const { readable, writable } = new FixedLengthStream(length);
  const abort = new AbortController();
  const piped = body.pipeTo(writable, { signal: abort.signal });
  try {
    const [result] = await Promise.all([put(readable), piped]);
    return result;
  } catch (error) {
    abort.abort();
    const cut = await piped.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    // The stream broke first: no failure of the bucket.
    if (cut !== undefined && r2Code(error) === undefined) throw new UpstreamError("the NAR ended too early");
    throw error;
  }
}
