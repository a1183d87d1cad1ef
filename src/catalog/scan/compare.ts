// Compares the catalog with the bucket for one key, under the key's lock. Every publication and deletion of the key
// takes that lock, so the result holds until `act` has ended.
import { bucketOperation } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
import { inspectPublished, type Published, type Unreadable } from "../publish/published.ts";
import { resolveKey } from "../publish/resolve.ts";
import { type PathRow, pathRow } from "../rows/paths.ts";

export type PathState =
  | { readonly kind: "known"; readonly found: Published; readonly row: PathRow }
  /** The bucket has a narinfo that the catalog does not have, or has with another content. */
  | { readonly kind: "unindexed"; readonly found: Published; readonly row: PathRow | undefined }
  | { readonly kind: "unreadable"; readonly found: Unreadable; readonly row: PathRow | undefined }
  /** The catalog has a path whose narinfo is not in the bucket. */
  | { readonly kind: "vanished"; readonly row: PathRow }
  | { readonly kind: "absent" };

/** Compares a path's row with its narinfo. One bucket operation, and those that resolve a crashed operation's intent. */
export function comparePath(
  c: CatalogContext,
  hash: string,
  act: (state: PathState) => void | Promise<void>,
): Promise<void> {
  return c.locks.run(hash, async () => {
    // An unfinished deletion would otherwise leave a row without a narinfo.
    await resolveKey(c, hash);
    const found = await inspectPublished(c, hash);
    await act(stateOf(found, pathRow(c, hash)));
  });
}

function stateOf(found: Published | Unreadable | undefined, row: PathRow | undefined): PathState {
  if (found === undefined) return row === undefined ? { kind: "absent" } : { kind: "vanished", row };
  if ("unreadable" in found) return { kind: "unreadable", found, row };
  return row?.etag === found.etag ? { kind: "known", found, row } : { kind: "unindexed", found, row };
}

/** Heads a NAR's object, for `act` to compare with the catalog. As many operations as {@link comparePath}. */
export function compareNar(
  c: CatalogContext,
  key: string,
  act: (object: R2Object | null) => void,
): Promise<void> {
  return c.locks.run(key, async () => {
    await resolveKey(c, key);
    act(await bucketOperation("head", () => c.bucket.head(key)));
  });
}
