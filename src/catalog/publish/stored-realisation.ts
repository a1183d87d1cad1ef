// A realisation as an object of the bucket: read, and written over what was read.
import { SMALL_JSON_BYTES } from "../../bucket/kinds.ts";
import { bucketFailure } from "../../bucket/operation.ts";
import { readText } from "../../bucket/text.ts";
import { FormatError } from "../../nix/format-error.ts";
import { formatRealisation, parseRealisation, type Realisation } from "../../nix/realisation.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { putPatiently } from "./patient-put.ts";

/** A realisation, and which trusted key (`name:base64`) has signed it: see {@link StoredRealisation}. */
export interface Vouched {
  readonly realisation: Realisation;
  /**
   * The signature may verify no more, because the cache has taken out the dependent realisations. `undefined` where none
   * is known.
   */
  readonly trustedBy: string | undefined;
}

export interface StoredRealisation extends Vouched {
  /** R2's, without quotes. */
  readonly etag: string;
  readonly uploaded: Date;
}

/** An object that clients cannot read as the realisation of its name. */
export interface UnreadableRealisation {
  readonly unreadable: string;
  readonly etag: string;
  readonly uploaded: Date;
}

/** The custom metadata that holds {@link Vouched.trustedBy}. */
const TRUSTED_BY = "trusted-by";

/** `undefined` where there is none. One bucket operation. */
export async function readRealisation(
  c: CatalogContext,
  key: string,
): Promise<StoredRealisation | UnreadableRealisation | undefined> {
  const stored = await readText(c.bucket, key, SMALL_JSON_BYTES);
  if (stored === undefined) return undefined;
  const { etag, uploaded, customMetadata } = stored.object;
  if ("unreadable" in stored) return { unreadable: stored.unreadable, etag, uploaded };
  try {
    return {
      realisation: parseRealisation(key, stored.text),
      trustedBy: customMetadata?.[TRUSTED_BY],
      etag,
      uploaded,
    };
  } catch (error) {
    if (error instanceof FormatError) return { unreadable: error.message, etag, uploaded };
    throw error;
  }
}

/**
 * Writes a realisation over the object with this etag; `undefined`: there is none. Returns
 * its new etag, `undefined` where the bucket holds something else. Throws {@link Refused} realisation-too-large.
 */
export async function writeRealisation(
  c: CatalogContext,
  key: string,
  { realisation, trustedBy }: Vouched,
  etag: string | undefined,
): Promise<string | undefined> {
  const text = formatRealisation(realisation);
  // Larger, it could not be read again.
  if (new TextEncoder().encode(text).length > SMALL_JSON_BYTES) {
    throw new Refused({ kind: "realisation-too-large", key, maxBytes: SMALL_JSON_BYTES });
  }
  const options = {
    onlyIf: etag === undefined ? { etagDoesNotMatch: "*" } : { etagMatches: etag },
    httpMetadata: { contentType: "application/json" },
    ...(trustedBy !== undefined && { customMetadata: { [TRUSTED_BY]: trustedBy } }),
  };
  try {
    const object: R2Object | null = await putPatiently(c, () => c.bucket.put(key, text, options));
    return object?.etag;
  } catch (error) {
    throw bucketFailure("put", error);
  }
}
