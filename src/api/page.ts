// Lists have pages: `limit` and `cursor` are their parameters, `next` is the cursor of the next page. A cursor is a
// place in the list, opaque to clients.
import * as v from "valibot";
import { described, matching, TEXT, wholeNumber } from "../contract/schema.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;
const NO_CURSOR = "must be the 'next' of the page before";

/** The parameters of a list with places of the schema `position`. */
export function pageOf<P>(position: v.GenericSchema<P>) {
  return {
    limit: v.exactOptional(described("Items in one page.", wholeNumber(1, MAX_LIMIT)), DEFAULT_LIMIT),
    cursor: v.exactOptional(
      described(
        "The `next` of the page before.",
        v.pipe(
          matching(/^[A-Za-z0-9_-]{1,1024}$/, NO_CURSOR),
          v.transform(decode),
          v.custom<P>((place) => v.is(position, place), NO_CURSOR),
        ),
      ),
    ),
  };
}

/** Of the answer. */
export const NEXT = {
  next: v.exactOptional(described("The cursor of the next page; absent on the last.", TEXT)),
};

/** The answer for a page of the catalog: the place of the next page becomes a cursor. */
export function withCursor<T extends { readonly next?: unknown }>({ next, ...page }: T) {
  return { ...page, ...(next !== undefined && { next: encode(next) }) };
}

function encode(place: unknown): string {
  return new TextEncoder()
    .encode(JSON.stringify(place))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

/** `undefined` for a text that {@link encode} has not written. */
function decode(cursor: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(cursor, { alphabet: "base64url" })));
  } catch {
    return undefined;
  }
}
