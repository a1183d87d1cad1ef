// Uploading a NAR. Its name is its SHA-256, or becomes it, and the bucket checks the body against it as it streams.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { preconditionFailed, requireWritable, unchanged } from "../bucket/conditional.ts";
import { MAX_SINGLE_PUT_BYTES, NAR } from "../bucket/kinds.ts";
import { sha256Of } from "../bucket/nar-object.ts";
import { narTarget } from "../bucket/nar-target.ts";
import { bucketFailure, bucketOperation } from "../bucket/operation.ts";
import type { Handler } from "../context.ts";
import { contentLength } from "../http/body.ts";
import { HttpError, textLine } from "../http/errors.ts";
import { writeCondition } from "../http/preconditions.ts";

/** Answers PUT of `nar/*`. The NAR becomes visible only when it is complete and matches its name. */
export const putNar: Handler = async ({ request, bucket, path, catalog, purge }) => {
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
  await catalog((c) => c.announceNar({ ...target, size }));
  const stored = await bucketOperation("head", () => bucket.head(key));
  const condition = writeCondition(request.headers);
  requireWritable(condition, stored);
  if (stored !== null && sha256Of(stored) === sha256) {
    // Leave the body for the runtime to drain. Cancelling it would break the connection of a client that is still
    // sending.
    return alreadyHere(stored);
  }
  // An object without the right checksum comes from another tool and may be damaged: this upload replaces it.
  try {
    const put: R2Object | null = await bucket.put(key, request.body ?? new Uint8Array(), {
      sha256,
      httpMetadata: { contentType: NAR.contentType },
      ...(condition && { onlyIf: unchanged(stored) }),
    });
    if (put === null) throw preconditionFailed();
    // Otherwise the edge could serve the damaged object for a year, the max-age of a NAR.
    if (stored !== null) purge([`/${key}`]);
    return textLine(201, `stored ${key}`, { ETag: put.httpEtag });
  } catch (error) {
    const failure = bucketFailure("put", error);
    // R2 takes one write a second to a key and may refuse the loser of two concurrent uploads of a NAR. Both have the
    // same content, so the winner's object is the loser's, too.
    if (failure.status < 500 || condition !== undefined) throw failure;
    const winner = await bucketOperation("head", () => bucket.head(key));
    if (winner === null || sha256Of(winner) !== sha256) throw failure;
    return alreadyHere(winner);
  }
};

function alreadyHere({ key, httpEtag }: R2Object): Response {
  return textLine(200, `${key} is already here`, { ETag: httpEtag });
}
