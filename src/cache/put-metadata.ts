// Uploading the companions of store paths that are stored as they were sent: listings, logs, debug info.
import { namesOwnerInContent, ownerOf } from "../bucket/companions.ts";
import { conditionally, preconditionFailed } from "../bucket/conditional.ts";
import { type Kind, keyOf } from "../bucket/kinds.ts";
import { putSmall } from "../bucket/operation.ts";
import type { Context, Handler } from "../context.ts";
import { contentLength, decodeUtf8, discardBody, piecesOf, readBody } from "../http/body.ts";
import { type Coding, contentCoding, decode } from "../http/encodings.ts";
import { LimitError, textLine } from "../http/errors.ts";
import { writeCondition } from "../http/preconditions.ts";
import { checkContent } from "../publish/companion.ts";
import { putChecked } from "./put-checked.ts";

/** Bytes of a body that is held whole until it is checked: a larger one is checked while it is stored. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;
/** The same of a body without a length, which the bucket needs. */
const MAX_UNANNOUNCED_BYTES = 32 * 1024 * 1024;
/** On the answer to an upload that was taken and left out. */
const LEFT_OUT = { "Nix-Cache-Stored": "no" };

/**
 * Answers PUT of a companion: within the kind's limits, well-formed where it is JSON, stored as it was sent. A kind that
 * Nix sends along with a path is acknowledged and left out where it is beyond the limits: it must not fail the path.
 */
export function putMetadata(kind: Kind): Handler {
  return async (context) => {
    try {
      return await store(kind, context);
    } catch (error) {
      if (!kind.mayBeLeftOut || !(error instanceof LimitError)) throw error;
      await discardBody(context.request);
      return textLine(
        200,
        `${keyOf(kind, context.path)} is not stored, and the path needs no ${kind.name}: ${error.message}`,
        LEFT_OUT,
      );
    }
  };
}

async function store(kind: Kind, { request, bucket, path, catalog }: Context): Promise<Response> {
  const key = keyOf(kind, path);
  const coding = contentCoding(request.headers.get("Content-Encoding"), kind.compressionSetting);
  const length = contentLength(request) ?? 0;
  const options = async (): Promise<R2PutOptions> => ({
    ...(await conditionally(bucket, key, writeCondition(request.headers))),
    httpMetadata: { contentType: kind.contentType, ...(coding && { contentEncoding: coding }) },
  });
  // The catalog first: from now on the object is deleted with its path, and no deletion under way removes it.
  const announce = (content: string) => catalog((c) => c.announceCompanion(key, ownerOf(key, content)));
  let stored: R2Object | null;
  if (length > MAX_HELD_BYTES && length <= kind.maxBytes && request.body !== null) {
    const sent = { body: request.body, length };
    const condition = await options();
    await announce("");
    stored = await putChecked(bucket, key, sent, condition, (pieces) => checkContent(pieces, coding, kind));
  } else {
    const limit = length > 0 ? kind.maxBytes : Math.min(kind.maxBytes, MAX_UNANNOUNCED_BYTES);
    const body = await readBody(request, limit, { leavesRest: kind.mayBeLeftOut === true });
    await checkContent(piecesOf(body), coding, kind);
    const owner = namesOwnerInContent(key) ? await smallText(body, coding, kind) : "";
    const condition = await options();
    await announce(owner);
    stored = await putSmall(bucket, key, body, condition);
  }
  if (stored === null) throw preconditionFailed();
  return textLine(201, `stored ${key}`, { ETag: stored.httpEtag });
}

/** Of a kind that names its owner in its content. */
async function smallText(body: Uint8Array, coding: Coding | undefined, kind: Kind): Promise<string> {
  return decodeUtf8(coding === undefined ? body : await decode(body, coding, kind.maxBytes));
}
