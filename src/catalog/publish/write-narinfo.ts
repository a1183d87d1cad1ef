// Writing a narinfo, under the path's lock: the intent is durable before the bucket is asked, and the narinfo replaces
// only what the bucket is believed to hold.

import { NARINFO } from "../../bucket/kinds.ts";
import { bucketFailure, r2Code, TOO_MANY_WRITES } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
import { type Push, pushMetadata } from "../objects.ts";
import type { Publication } from "../publication.ts";
import {
  clearPublications,
  endPublication,
  leavePublication,
  type Needs,
  openPublication,
} from "../rows/publications.ts";
import { putPatiently } from "./patient-put.ts";

/** A failure after the bucket was asked to write: it may have written the narinfo, or may do it yet. */
class Unconfirmed extends Error {}

/**
 * Runs `work` as a publication of a path. It ends with `work`, unless that failed after {@link writeNarInfo} had asked the
 * bucket: then it goes on protecting `needs` until the key is resolved.
 */
export async function publishing<T>(
  c: CatalogContext,
  hash: string,
  needs: Needs,
  work: (publication: Publication) => Promise<T>,
): Promise<T> {
  const publication = openPublication(c, hash, needs);
  // Set in the same turn: if this crashes once the narinfo is written, an alarm resolves it and verifies its NAR.
  c.wakeForVerification();
  const published = work(publication);
  // Later publications wait for this one and look at the rows then: its failure is not theirs.
  publication.done = published.catch(() => undefined);
  try {
    const result = await published;
    endPublication(c, publication);
    return result;
  } catch (error) {
    if (!(error instanceof Unconfirmed)) {
      clearPublications(c, [publication]);
      throw error;
    }
    leavePublication(c, publication, error.cause);
    throw error.cause;
  }
}

/** The narinfo that the bucket is believed to hold. */
export interface StoredNarInfo {
  readonly text: string;
  readonly etag: string;
  /** Set where it has just been read: when it was last pushed, in milliseconds since the epoch. */
  readonly read?: number;
}

export interface NarInfoWrite {
  readonly hash: string;
  readonly text: string;
  /** `undefined`: the bucket is believed to hold none. */
  readonly stored: StoredNarInfo | undefined;
  readonly push: Push;
}

/** The narinfo that the bucket holds now; times are milliseconds since the epoch. */
export type Confirmed =
  | { readonly kind: "written"; readonly etag: string; readonly uploaded: number }
  /** It held the same text already. `lastUsed` is set where that was pushed long ago, and is pushed again now. */
  | {
      readonly kind: "unchanged";
      readonly etag: string;
      readonly uploaded: number;
      readonly lastUsed?: number;
    };

export type WriteOutcome = Confirmed | { readonly kind: "conflict" };

/**
 * Writes the narinfo if the bucket holds what it is believed to hold, else the outcome is `conflict`. An unchanged text
 * is written only where the bucket holds another or none. `confirm` brings rows and edge up to date; call this within
 * {@link publishing}.
 */
export async function writeNarInfo(
  c: CatalogContext,
  write: NarInfoWrite,
  confirm: (confirmed: Confirmed) => void | Promise<void>,
): Promise<WriteOutcome> {
  const { text, stored } = write;
  const isSame = stored !== undefined && text === stored.text;
  if (isSame && stored.read !== undefined) {
    const known = { kind: "unchanged", etag: stored.etag, uploaded: stored.read, lastUsed: c.now() } as const;
    await confirm(known);
    return known;
  }
  const onlyIf =
    stored === undefined
      ? { etagDoesNotMatch: "*" }
      : isSame
        ? { etagDoesNotMatch: stored.etag }
        : { etagMatches: stored.etag };
  const object = await putNarInfo(c, write, onlyIf);
  if (object !== null) {
    // The bucket's own time, so that a catalog that is built anew says the same.
    const written = { kind: "written", etag: object.etag, uploaded: object.uploaded.getTime() } as const;
    try {
      await confirm(written);
    } catch (error) {
      throw new Unconfirmed("written, not confirmed", { cause: error });
    }
    return written;
  }
  if (!isSame) return { kind: "conflict" };
  const unchanged = { kind: "unchanged", etag: stored.etag, uploaded: c.now() } as const;
  await confirm(unchanged);
  return unchanged;
}

/** `null` where the bucket holds something else. Throws {@link Unconfirmed} where it may have written all the same. */
async function putNarInfo(
  c: CatalogContext,
  { hash, text, push }: NarInfoWrite,
  onlyIf: R2Conditional,
): Promise<R2Object | null> {
  const put = () =>
    c.bucket.put(`${hash}.narinfo`, text, {
      onlyIf,
      httpMetadata: { contentType: NARINFO.contentType },
      customMetadata: pushMetadata(push),
    });
  try {
    return await putPatiently(c, put);
  } catch (error) {
    const failure = bucketFailure("put", error);
    // That is an answer: nothing was written.
    if (r2Code(error) === TOO_MANY_WRITES) throw failure;
    throw new Unconfirmed("not confirmed", { cause: failure });
  }
}
