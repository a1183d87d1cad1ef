// What a path gets once its NAR is verified: the signatures that waited for it, and its listing.
import { listingKey } from "../../bucket/kinds.ts";
import { bucketOperation } from "../../bucket/operation.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { readContent } from "../facts/read.ts";
import { claimOf } from "../facts/verdict.ts";
import { verdictNow } from "../facts/verdict-now.ts";
import { announceCompanion } from "../publish/last-use.ts";
import { type Rewrite, rewriteSignatures } from "../publish/rewrite.ts";
import { isNewlyQueued, pathRow } from "../rows/paths.ts";

const NOTHING: Rewrite = { drop: null };
/** Milliseconds from the push of a path within which its NAR is queued for it, and not for a later path. */
const NEW_MS = 10 * 60_000;

/** The listing of a NAR that was read again for it: once for all of its paths. */
export interface MadeListing {
  json?: string | undefined;
}

/**
 * Does nothing for a path that has its signatures, in a cache that makes no listings. `listing` is undefined where the
 * NAR was known already.
 */
export async function confirmPath(
  c: CatalogContext,
  info: NarInfo,
  listing: string | undefined,
  made: MadeListing = {},
): Promise<void> {
  const { hash } = info.storePath;
  if (info.ca !== undefined && (await c.config.keys()).trusted.length > 0) {
    if ((await rewriteSignatures(c, hash, NOTHING)) === "rewritten") await c.purge([`/${hash}.narinfo`]);
  }
  if (!c.config.listings) return;
  let json = listing;
  if (json === undefined && isNewlyQueued(c, hash, NEW_MS)) json = made.json ??= await listingOf(c, info);
  if (json !== undefined) await writeListing(c, hash, json);
}

/** Reads a NAR that was verified while its path was published, or for another path. */
async function listingOf(c: CatalogContext, info: NarInfo): Promise<string | undefined> {
  const claim = claimOf(info);
  if (verdictNow(c, info).kind !== "verified") return undefined;
  return (await readContent(c, claim.nar, [claim], { isDeep: true }))?.listing;
}

/** A listing that was pushed stays. */
async function writeListing(c: CatalogContext, hash: string, listing: string): Promise<void> {
  const key = listingKey(hash);
  await announceCompanion(c, key, hash);
  // Deleted meanwhile: the listing would stay for ever.
  if (pathRow(c, hash) === undefined) return;
  await bucketOperation("put", () =>
    c.bucket.put(key, listing, {
      onlyIf: { etagDoesNotMatch: "*" },
      httpMetadata: { contentType: "application/json" },
    }),
  );
}
