// A path in all tables that know of it: its rows are written and removed together.

import { narPlaceOf } from "../../nix/nar-url.ts";
import type { CatalogContext } from "../context.ts";
import type { PublishedNar } from "../publication.ts";
import { forgetDifferingBuilds } from "./differing-builds.ts";
import { forgetDifferingRealisations } from "./differing-realisations.ts";
import { linkPath, unlinkPath } from "./nar-paths.ts";
import { isNewNar, savePublishedNar } from "./nars.ts";
import { adoptNars, adoptPaths } from "./old-layout.ts";
import { type IndexedPath, pathRow, removePath, savePath } from "./paths.ts";
import { forgetReferences, referenceHashes, referencesIn, saveReferences } from "./references.ts";

/** Writes a path, its references and its NAR; call it in a transaction. The first push of a known path is kept. */
export function indexPath(c: CatalogContext, path: IndexedPath): void {
  saveNar(c, path, writePath(c, path));
}

/**
 * The same at the end of a publication, which writes no row of a NAR that is new: it returns what that row is to say.
 * `undefined` where it says it already.
 */
export function indexPublication(c: CatalogContext, path: IndexedPath): PublishedNar | undefined {
  if (isNewNar(c, narPlaceOf(path.info.url).key)) {
    return { ...c.tally.covered(() => writePath(c, path)), queuedAt: c.now() };
  }
  indexPath(c, path);
  return undefined;
}

function saveNar(c: CatalogContext, { info }: IndexedPath, nar: PublishedNar): void {
  savePublishedNar(c, nar, info.storePath.hash);
  linkPath(c, nar.key, info.storePath.hash);
  if (nar.isQueued) c.wakeForVerification();
}

function writePath(c: CatalogContext, path: IndexedPath): PublishedNar {
  const { info, narSha256: sha256 = null, uploaded, known, isQueued = false } = path;
  const { hash } = info.storePath;
  const { key, isElsewhere } = narPlaceOf(info.url);
  adoptPaths(c, [hash]);
  adoptNars(c, [key]);
  const previous = pathRow(c, hash);
  savePath(c, path);
  saveReferences(c, hash, referenceHashes(info), previous && referencesIn(previous.narinfo));
  if (previous !== undefined && previous.nar !== key) unlinkPath(c, previous.nar, hash);
  const size = info.fileSize ?? 0;
  return { key, isElsewhere, size, sha256, uploaded, isQueued, ...(known !== undefined && { known }) };
}

/** Removes a path; its NAR may be swept once no path has it. Call it in a transaction. */
export function deletePathRow(c: CatalogContext, hash: string): void {
  adoptPaths(c, [hash]);
  const row = pathRow(c, hash);
  if (row === undefined) return;
  removePath(c, hash);
  forgetReferences(c, hash, referencesIn(row.narinfo));
  forgetDifferingBuilds(c, hash);
  forgetDifferingRealisations(c, hash);
  unlinkPath(c, row.nar, hash);
}
