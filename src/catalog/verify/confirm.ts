// What a path gets once its NAR is verified: the signatures that waited for it, and its listing.
import { bucketOperation } from "../../bucket/operation.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { announceCompanion } from "../publish/last-use.ts";
import { type Rewrite, rewriteSignatures } from "../publish/rewrite.ts";

const NOTHING: Rewrite = { drop: null };

/** Does nothing for a path that has its signatures, in a cache that makes no listings. */
export async function confirmPath(
  c: CatalogContext,
  info: NarInfo,
  listing: string | undefined,
): Promise<void> {
  const { hash } = info.storePath;
  if (info.ca !== undefined && (await c.config.keys()).trusted.length > 0) {
    if ((await rewriteSignatures(c, hash, NOTHING)) === "rewritten") await c.purge([`/${hash}.narinfo`]);
  }
  if (listing !== undefined && c.config.listings) await writeListing(c, hash, listing);
}

/** A listing that was pushed stays. */
async function writeListing(c: CatalogContext, hash: string, listing: string): Promise<void> {
  const key = `${hash}.ls`;
  await announceCompanion(c, key, hash);
  await bucketOperation("put", () =>
    c.bucket.put(key, listing, {
      onlyIf: { etagDoesNotMatch: "*" },
      httpMetadata: { contentType: "application/json" },
    }),
  );
}
