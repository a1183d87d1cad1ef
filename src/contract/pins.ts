// Pins: names for paths that must stay.
import * as v from "valibot";
import { COUNT, described, listOf, matching, named, STORE_PATH, TEXT, TIME, wholeNumber } from "./schema.ts";

/** One segment of a URL that needs no escapes. */
export const PIN_NAME = described(
  "The name of a pin.",
  v.pipe(
    matching(
      /^[0-9A-Za-z][0-9A-Za-z._+=-]{0,127}$/,
      "must be a pin's name: at most 128 letters, digits and ._+=-, the first a letter or digit",
    ),
    v.examples(["deployed"]),
  ),
);

/** So many of the newest stay at most, whatever the rule: a pin is one object of the bucket, which each PUT writes anew. */
export const MAX_REVISIONS = 1000;
export const DEFAULT_KEEP_REVISIONS = 100;
/** A hundred years. */
const MAX_KEEP_DAYS = 36_500;
/** Revisions of each pin in a list of pins, and in the answer to a PUT. */
export const SHOWN_REVISIONS = 10;

/** How long revisions stay. The newest always stays. */
export interface Keep {
  /** This many of the newest revisions stay, the newest included. */
  readonly keepRevisions?: number;
  /** Revisions pinned within this many days stay, {@link MAX_REVISIONS} at most. */
  readonly keepDays?: number;
}

export interface PinRequest extends Keep {
  readonly hash: string;
  /** Of the store path, after the dash. */
  readonly name: string;
}

/** The body of a PUT. The same properties of a fetched pin can be sent back unchanged. */
export const PIN_BODY = v.pipe(
  v.object({
    store_path: described("It must be in the cache.", STORE_PATH),
    keep_revisions: v.exactOptional(
      described(
        `So many of the newest revisions stay. Without this and keep_days: ${DEFAULT_KEEP_REVISIONS}.`,
        v.nullable(wholeNumber(1, MAX_REVISIONS)),
      ),
    ),
    keep_days: v.exactOptional(
      described(
        `Revisions of so many days stay, but not more than ${MAX_REVISIONS}.`,
        v.nullable(wholeNumber(1, MAX_KEEP_DAYS)),
      ),
    ),
  }),
  v.examples([{ store_path: "/nix/store/3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-system", keep_revisions: 5 }]),
);

export const PIN = named(
  "Pin",
  v.object({
    name: TEXT,
    store_path: described("The newest.", STORE_PATH),
    keep_revisions: described("null: not by number.", v.nullable(COUNT)),
    keep_days: described("null: not by time.", v.nullable(COUNT)),
    revisions: described(
      "The newest first.",
      v.pipe(
        listOf(
          v.object({
            store_path: STORE_PATH,
            pinned: TIME,
            pinned_by: TEXT,
            until: described("When it is kept no longer; null: not by time.", v.nullable(TIME)),
          }),
        ),
        v.minLength(1),
      ),
    ),
    next: v.exactOptional(
      described("The cursor for older revisions, of GET /pins/NAME; absent where these are all.", TEXT),
    ),
  }),
);

/** A place in the list of a pin's revisions, the newest of which has the highest number. */
export const REVISION_POSITION = v.object({ number: COUNT });
export type RevisionPosition = v.InferOutput<typeof REVISION_POSITION>;

export interface Pin extends Omit<v.InferOutput<typeof PIN>, "next"> {
  readonly next?: RevisionPosition;
}

export interface RevisionQuery {
  /** Revisions in one answer. */
  readonly limit: number;
  readonly after?: RevisionPosition;
}

/** A place in the list of pins, which is ordered by name. */
export const PIN_POSITION = v.object({ name: PIN_NAME });

export interface PinQuery {
  /** Pins in one answer. */
  readonly limit: number;
  readonly after?: v.InferOutput<typeof PIN_POSITION>;
}

export interface PinPage {
  readonly pins: readonly Pin[];
  readonly next?: v.InferOutput<typeof PIN_POSITION>;
}
