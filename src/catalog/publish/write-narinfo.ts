// Writing a narinfo: under an intention that is durable before the bucket is touched, and only over what the bucket is
// believed to hold. Whoever does it has the lock of the path.

import { NARINFO } from "../../bucket/kinds.ts";
import { bucketFailure, r2Code, TOO_MANY_WRITES } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
import { type Push, pushMetadata } from "../objects.ts";
import { clearIntent, failIntent, type Needs, recordIntent } from "../rows/intents.ts";

/** How often R2 may refuse a write because of others, before the client is told. */
const MAX_ATTEMPTS = 4;
/** R2 takes one write a second to a key; two pushers of one path meet this. */
const SECOND_MS = 1100;

export interface Publication {
  /** Of its intention. */
  readonly sequence: number;
  /** The bucket has been asked to write, and the catalog or the edge may not know what it has done. */
  unconfirmed: boolean;
}

/**
 * Does `work` under the intention to publish a path. `work` clears `mayArrive` when catalog and edge know what has
 * become of it.
 */
export async function publishing<T>(
  c: CatalogContext,
  hash: string,
  needs: Needs,
  work: (publication: Publication) => Promise<T>,
): Promise<T> {
  const sequence = recordIntent(c, { kind: "publish", key: hash, ...needs });
  const publication: Publication = { sequence, unconfirmed: false };
  const published = work(publication);
  // Whoever waits for it learns of a failure from the catalog, as everybody does.
  c.publications.set(
    sequence,
    published.catch(() => undefined),
  );
  try {
    return await published;
  } catch (error) {
    if (publication.unconfirmed) failIntent(c, sequence, error);
    throw error;
  } finally {
    c.publications.delete(sequence);
    // Else the bucket may or may not hold the new narinfo, or get it in a while: the intention stays, goes on
    // protecting, and is settled later.
    if (!publication.unconfirmed) clearIntent(c, sequence);
  }
}

/** What the bucket is believed to hold for a path. */
export interface StoredNarInfo {
  readonly text: string;
  readonly etag: string;
  /** Set where it has just been read: when it was last pushed, in milliseconds since the epoch. */
  readonly read?: number;
}

export interface Written {
  readonly etag: string;
  /** Milliseconds since the epoch. */
  readonly uploaded: number;
  /** Set where that is long ago, and the path is pushed now all the same. Milliseconds since the epoch. */
  readonly lastUsed?: number;
  /** False where the bucket held it already. */
  readonly isNew: boolean;
}

/**
 * Writes the narinfo if the bucket holds what it is believed to; `undefined` where it does not. An unchanged text is
 * written only where the bucket holds another or none.
 */
export async function writeNarInfo(
  c: CatalogContext,
  publication: Publication,
  hash: string,
  text: string,
  base: StoredNarInfo | undefined,
  push: Push,
): Promise<Written | undefined> {
  const isSame = base !== undefined && text === base.text;
  if (isSame && base.read !== undefined) {
    return { etag: base.etag, uploaded: base.read, lastUsed: c.now(), isNew: false };
  }
  const onlyIf =
    base === undefined
      ? { etagDoesNotMatch: "*" }
      : isSame
        ? { etagDoesNotMatch: base.etag }
        : { etagMatches: base.etag };
  for (let attempt = 0; ; attempt++) {
    publication.unconfirmed = true;
    try {
      const object = await c.bucket.put(`${hash}.narinfo`, text, {
        onlyIf,
        httpMetadata: { contentType: NARINFO.contentType },
        customMetadata: pushMetadata(push),
      });
      // The bucket's own time, so that a catalog that is built anew says the same.
      if (object !== null) return { etag: object.etag, uploaded: object.uploaded.getTime(), isNew: true };
    } catch (error) {
      if (r2Code(error) !== TOO_MANY_WRITES) throw bucketFailure("put", error);
      // That is an answer: nothing was written.
      publication.unconfirmed = false;
      if (attempt === MAX_ATTEMPTS) throw bucketFailure("put", error);
      await c.wait(SECOND_MS);
      continue;
    }
    publication.unconfirmed = false;
    return isSame ? { etag: base.etag, uploaded: c.now(), isNew: false } : undefined;
  }
}
