// A narinfo that a check has met and that the catalog does not know, as a row of the check's scratch table.
import { formatHash } from "../../nix/hash.ts";
import { narPlaceOf } from "../../nix/nar-url.ts";
import type { CatalogContext } from "../context.ts";
import type { Published, Unreadable } from "../publish/published.ts";
import { saveUnindexed } from "../rows/unindexed.ts";

/** Records a narinfo until the check ends; call it in a transaction. */
export function remember(c: CatalogContext, hash: string, found: Published | Unreadable): void {
  if ("unreadable" in found) {
    saveUnindexed(c, { hash, name: hash, nar: found.nar ?? null, fileHash: "", fileSize: 0, references: [] });
    return;
  }
  const { storePath, url, fileHash, fileSize = 0, references } = found.info;
  saveUnindexed(c, {
    hash,
    name: storePath.baseName,
    nar: narPlaceOf(url).key,
    fileHash: fileHash === undefined ? "" : formatHash(fileHash),
    fileSize,
    references: references.filter((reference) => reference.slice(0, 32) !== hash),
  });
}
