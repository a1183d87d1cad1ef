// Companions of store paths that are stored as they were sent: what they must be.
import { type Kind, LISTING, listingKey } from "../bucket/kinds.ts";
import { putSmall } from "../bucket/operation.ts";
import type { Context } from "../context.ts";
import { piecesOf } from "../http/body.ts";
import { type Coding, decodePieces } from "../http/encodings.ts";
import { HttpError, LimitError } from "../http/errors.ts";
import { JsonScanner } from "../http/json-scanner.ts";

/**
 * Checks the decoded size, and of JSON the form, without keeping anything decoded: a few compressed logs at once, or one
 * listing that is parsed, would fill the memory.
 */
export async function checkContent(
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  coding: Coding | undefined,
  kind: Kind,
): Promise<void> {
  const what = `the ${kind.name}`;
  const scanner = kind.json && new JsonScanner(kind.json, what);
  const pieces = coding === undefined ? body : decodePieces(body, coding, kind.maxBytes);
  for await (const piece of pieces) scanner?.push(piece);
  switch (scanner?.end()) {
    case "malformed":
      throw new HttpError(400, `${what} is not valid JSON`);
    case "other":
      throw new HttpError(400, `${what} is not a JSON object`);
    case "not-utf8":
      // As Nix up to 2.25 writes a file name that is no UTF-8. Readers of JSON fail on it.
      throw new LimitError(400, `${what} is not UTF-8`);
  }
}

/** Stores the listing of a path that has just been published, which no earlier deletion takes along. Throws {@link HttpError}. */
export async function putListing({ bucket }: Context, hash: string, text: string): Promise<void> {
  if (!text.isWellFormed()) throw new LimitError(400, "the listing is not UTF-8");
  const bytes = new TextEncoder().encode(text);
  await checkContent(piecesOf(bytes), undefined, LISTING);
  await putSmall(bucket, listingKey(hash), bytes, { httpMetadata: { contentType: LISTING.contentType } });
}
