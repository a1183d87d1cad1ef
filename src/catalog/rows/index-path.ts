// A path in all tables that know of it: its rows are written and removed together.

import { narKeyOfUrl } from "../../nix/nar-url.ts";
import type { CatalogContext } from "../context.ts";
import { forgetDifferingBuilds } from "./differing-builds.ts";
import { forgetDifferingRealisations } from "./differing-realisations.ts";
import { releaseNar, savePublishedNar } from "./nars.ts";
import { adoptNars, adoptPaths } from "./old-layout.ts";
import { type IndexedPath, pathRow, removePath, savePath } from "./paths.ts";
import { forgetReferences, referenceHashes, saveReferences } from "./references.ts";

/** Writes a path, its references and its NAR; call it in a transaction. The first push of a known path is kept. */
export function indexPath(c: CatalogContext, path: IndexedPath): void {
  const { info, narSha256: sha256 = null, uploaded } = path;
  const { hash } = info.storePath;
  const nar = narKeyOfUrl(info.url);
  adoptPaths(c, [hash]);
  adoptNars(c, [nar]);
  const previous = pathRow(c, hash)?.nar;
  savePath(c, path);
  saveReferences(c, hash, referenceHashes(info));
  const { known, isQueued = false } = path;
  savePublishedNar(c, {
    ...{ key: nar, size: info.fileSize ?? 0, sha256, uploaded, isQueued },
    ...(known !== undefined && { known }),
  });
  if (isQueued) c.wakeForVerification();
  if (previous !== undefined && previous !== nar) releaseNar(c, previous);
}

/** Removes a path; its NAR may be swept once no path has it. Call it in a transaction. */
export function deletePathRow(c: CatalogContext, hash: string): void {
  adoptPaths(c, [hash]);
  const row = pathRow(c, hash);
  if (row === undefined) return;
  removePath(c, hash);
  forgetReferences(c, hash);
  forgetDifferingBuilds(c, hash);
  forgetDifferingRealisations(c, hash);
  releaseNar(c, row.nar);
}
