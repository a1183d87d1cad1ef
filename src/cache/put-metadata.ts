// Uploading the companions of store paths that are stored as they were sent: listings, logs, debug info.
import { namesOwnerInContent, ownerOf } from "../bucket/companions.ts";
import { conditionally, preconditionFailed } from "../bucket/conditional.ts";
import { type Kind, keyOf } from "../bucket/kinds.ts";
import { putSmall } from "../bucket/operation.ts";
import type { Handler } from "../context.ts";
import { decodeUtf8, piecesOf, readBody } from "../http/body.ts";
import { type Coding, contentCoding, decode, decodePieces } from "../http/encodings.ts";
import { HttpError, textLine } from "../http/errors.ts";
import { JsonScanner } from "../http/json-scanner.ts";
import { writeCondition } from "../http/preconditions.ts";

/** Answers PUT of a companion: within the kind's limits, well-formed where it is JSON, stored as it was sent. */
export function putMetadata(kind: Kind): Handler {
  return async ({ request, bucket, path, catalog }) => {
    const key = keyOf(kind, path);
    const coding = contentCoding(request.headers.get("Content-Encoding"), kind.compressionSetting);
    const body = await readBody(request, kind.maxBytes);
    await checkContent(body, coding, kind);
    const owner = ownerOf(key, namesOwnerInContent(key) ? await smallText(body, coding, kind) : "");
    const onlyIf = await conditionally(bucket, key, writeCondition(request.headers));
    // The catalog first: from now on the object is deleted with its path, and no deletion under way removes it.
    await catalog((c) => c.announceCompanion(key, owner));
    const stored = await putSmall(bucket, key, body, {
      ...onlyIf,
      httpMetadata: { contentType: kind.contentType, ...(coding && { contentEncoding: coding }) },
    });
    if (stored === null) throw preconditionFailed();
    return textLine(201, `stored ${key}`, { ETag: stored.httpEtag });
  };
}

/**
 * Checks the decoded size, and of JSON the form, without keeping anything decoded: a few compressed logs at once, or one
 * listing that is parsed, would fill the memory.
 */
async function checkContent(body: Uint8Array, coding: Coding | undefined, kind: Kind): Promise<void> {
  const what = `the ${kind.name}`;
  const scanner = kind.json && new JsonScanner(kind.json, what);
  const pieces = coding === undefined ? piecesOf(body) : decodePieces([body], coding, kind.maxBytes);
  for await (const piece of pieces) scanner?.push(piece);
  const form = scanner?.end();
  if (form === "malformed") throw new HttpError(400, `${what} is not valid JSON in UTF-8`);
  if (form === "other") throw new HttpError(400, `${what} is not a JSON object`);
}

/** Of a kind that names its owner in its content. */
async function smallText(body: Uint8Array, coding: Coding | undefined, kind: Kind): Promise<string> {
  return decodeUtf8(coding === undefined ? body : await decode(body, coding, kind.maxBytes));
}
