// Uploading a NAR: its name is its SHA-256, and the bucket itself checks the one against the other as it streams.

import { MAX_SINGLE_PUT_BYTES, NAR } from "../bucket/kinds.ts";
import { sha256Of, sha256OfNarKey } from "../bucket/nar-object.ts";
import { bucketFailure, bucketOperation } from "../bucket/operation.ts";
import type { AskCatalog } from "../catalog-client.ts";
import { contentLength } from "../http/body.ts";
import { HttpError, textLine } from "../http/errors.ts";

/** Answers PUT of `nar/*`. Nothing becomes visible unless all of it is there and matches its name. */
export async function putNar(
  request: Request,
  bucket: R2Bucket,
  key: string,
  catalog: AskCatalog,
  purge: (paths: readonly string[]) => void,
): Promise<Response> {
  const sha256 = sha256OfNarKey(key);
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

  // First the catalog: from here on the key is not deleted, so that what `head` says stays true.
  await catalog((c) => c.announceNar({ key, size, sha256 }));
  const stored = await bucketOperation("head", () => bucket.head(key));
  if (stored !== null && sha256Of(stored) === sha256) {
    // The body is left to the runtime, which reads it away. Cancelled, it breaks the connection under a client that is
    // still sending, before it has the answer.
    return alreadyHere(stored);
  }
  // An object without the right checksum was put by another tool and may be damaged: this upload replaces it.
  try {
    const { httpEtag } = await bucket.put(key, request.body ?? new Uint8Array(), {
      sha256,
      httpMetadata: { contentType: NAR.contentType },
    });
    // The edge would go on with the damaged one for as long as a NAR may be kept: a year.
    if (stored !== null) purge([`/${key}`]);
    return textLine(201, `stored ${key}`, { ETag: httpEtag });
  } catch (error) {
    const failure = bucketFailure("put", error);
    // R2 takes one write a second to a key, so the loser of two concurrent uploads of one NAR may be refused. The
    // name is the content: if the winner's object is there, the loser's is stored, too.
    if (failure.status < 500) throw failure;
    const winner = await bucketOperation("head", () => bucket.head(key));
    if (winner === null || sha256Of(winner) !== sha256) throw failure;
    return alreadyHere(winner);
  }
}

function alreadyHere({ key, httpEtag }: R2Object): Response {
  return textLine(200, `${key} is already here`, { ETag: httpEtag });
}
