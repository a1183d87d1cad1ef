// Uploading a NAR. Its name is its SHA-256, or becomes it, and the bucket checks the body against it as it streams.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { preconditionFailed, requireWritable, unchanged } from "../bucket/conditional.ts";
import { MAX_SINGLE_PUT_BYTES, NAR } from "../bucket/kinds.ts";
import { sha256Of } from "../bucket/nar-object.ts";
import { type NarTarget, narTarget } from "../bucket/nar-target.ts";
import { bucketFailure, bucketOperation } from "../bucket/operation.ts";
import type { Context, Handler } from "../context.ts";
import { FIRST_BYTES } from "../contract/uploads.ts";
import { contentLength, readBody } from "../http/body.ts";
import { HttpError, textLine } from "../http/errors.ts";
import { writeCondition } from "../http/preconditions.ts";

/** A NAR of so many bytes is held in memory while it is put. */
const SMALL_NAR_BYTES = 64 * 1024;

/** Answers PUT of `nar/*`. The NAR becomes visible only when it is complete and matches its name. */
export const putNar: Handler = async (context) => {
  const { request, bucket, path, catalog, purge } = context;
  const target = narTarget(path, carriesSigV4(request), request.headers);
  const { key, sha256 } = target;
  const size = contentLength(request);
  if (size === undefined) {
    throw new HttpError(411, "a NAR needs a Content-Length; send it with its length, not chunked");
  }
  if (size > MAX_SINGLE_PUT_BYTES) throw new HttpError(413, "the bucket takes at most 5 GiB in one upload");
  if (request.headers.has("Content-Encoding")) {
    throw new HttpError(
      415,
      "a NAR is stored as it was hashed: send it without Content-Encoding and let Nix compress it",
    );
  }

  // The catalog first: from now on the key is not deleted, so that the result of `head` stays true.
  const announced = await catalog((c) => c.announceNar({ ...target, size }));
  const condition = writeCondition(request.headers);
  if (announced !== undefined && size <= SMALL_NAR_BYTES && condition === undefined) {
    return putUnknown(context, target, announced);
  }
  const stored = await bucketOperation("head", () => bucket.head(key));
  requireWritable(condition, stored);
  if (stored !== null && sha256Of(stored) === sha256) {
    // Leave the body for the runtime to drain. Cancelling it would break the connection of a client that is still
    // sending.
    return alreadyHere(stored);
  }
  // An object without the right checksum comes from another tool and may be damaged: this upload replaces it.
  try {
    const put: R2Object | null = await bucket.put(key, request.body ?? new Uint8Array(), {
      ...optionsOf(target),
      ...(condition && { onlyIf: unchanged(stored) }),
    });
    if (put === null) throw preconditionFailed();
    // Otherwise the edge could serve the damaged object for a year, the max-age of a NAR.
    if (stored !== null) purge([`/${key}`]);
    return storedNow(put);
  } catch (error) {
    const failure = bucketFailure("put", error);
    if (condition !== undefined) throw failure;
    return winnerOf(bucket, target, failure);
  }
};

/**
 * One that the catalog has not known: the bucket is not asked for it first, but stores it only where there is none. Above
 * {@link SMALL_NAR_BYTES} the body could not be sent a second time. It is remembered for its narinfo.
 */
async function putUnknown(
  { request, bucket, config, purge, recentNars }: Context,
  target: NarTarget,
  announced: number,
): Promise<Response> {
  const { key, sha256 } = target;
  try {
    const body = await readBody(request, SMALL_NAR_BYTES);
    const put: R2Object | null = await bucket.put(key, body, {
      ...optionsOf(target),
      onlyIf: unchanged(null),
    });
    if (put !== null) {
      const { etag, size } = put;
      const first = body.slice(0, FIRST_BYTES);
      recentNars.remember(config.cacheName, { key, announced, etag, size, sha256, first });
      return storedNow(put);
    }
    const stored = await bucket.head(key);
    if (stored !== null && sha256Of(stored) === sha256) return alreadyHere(stored);
    const replaced = await bucket.put(key, body, optionsOf(target));
    purge([`/${key}`]);
    return storedNow(replaced);
  } catch (error) {
    return winnerOf(bucket, target, bucketFailure("put", error));
  }
}

/**
 * R2 takes one write a second to a key and may refuse the loser of two concurrent uploads of a NAR. Both have the same
 * content, so the winner's object is the loser's, too. Throws `failure` where there is none.
 */
async function winnerOf(bucket: R2Bucket, { key, sha256 }: NarTarget, failure: HttpError): Promise<Response> {
  if (failure.status < 500) throw failure;
  const winner = await bucketOperation("head", () => bucket.head(key));
  if (winner === null || sha256Of(winner) !== sha256) throw failure;
  return alreadyHere(winner);
}

function optionsOf({ sha256 }: NarTarget): Pick<R2PutOptions, "sha256" | "httpMetadata"> {
  return { sha256, httpMetadata: { contentType: NAR.contentType } };
}

function storedNow({ key, httpEtag }: R2Object): Response {
  return textLine(201, `stored ${key}`, { ETag: httpEtag });
}

function alreadyHere({ key, httpEtag }: R2Object): Response {
  return textLine(200, `${key} is already here`, { ETag: httpEtag });
}
