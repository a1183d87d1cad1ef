// One path and its NAR: whether the one in the bucket is the one that the narinfo describes.

import { narKeySha256, sha256Of } from "../../bucket/nar-object.ts";
import { bucketOperation } from "../../bucket/operation.ts";
import { narContradiction } from "../../bucket/stored-nar.ts";
import { narKeyOfUrl } from "../../nix/nar-url.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { executeDeletions } from "../publish/settle.ts";
import { deleteNarInfo } from "../remove/delete.ts";
import { beginNarDeletion } from "../remove/sweep.ts";
import { note } from "../rows/findings.ts";
import { isNarBeingPublished, publishingReferrers } from "../rows/intents.ts";
import { isNarReferred } from "../rows/paths.ts";
import { forget, isNarOfUnindexed } from "../rows/unindexed.ts";
import type { Run } from "../runs/runs.ts";
import { comparePath } from "../scan/compare.ts";

/** Milliseconds after which an upload that was announced and has not arrived has failed. */
const UPLOAD_MS = 3 * 3600 * 1000;

/** At most two bucket operations, and two more to repair. */
export function checkNarOfPath(c: CatalogContext, run: Run, hash: string): Promise<void> {
  return comparePath(c, hash, async (state) => {
    // Anything else is the business of the first part.
    if (state.kind !== "known" && state.kind !== "unindexed") return;
    const { info } = state.found;
    const nar = narKeyOfUrl(info.url);
    const object = await bucketOperation("head", () => c.bucket.head(nar));
    const contradiction = object === null ? "is not in the bucket" : narContradiction(object, info);
    if (contradiction === undefined) return;
    const noteIt = (repaired: boolean) =>
      note(
        c,
        run.kind,
        object === null ? "missing-nar" : "damaged-nar",
        info.storePath.baseName,
        `its NAR ${nar} ${contradiction}`,
        repaired,
      );
    // A publication under way relies on this path: what it publishes should not lose it at once.
    if (!run.repair || publishingReferrers(c, hash).length > 0) return c.transaction(() => noteIt(false));
    await deleteBroken(c, info, nar, object, () => noteIt(true));
  });
}

/**
 * Deletes a narinfo whose NAR is not there or is wrong, although others may refer to it: with it a client fails, or
 * fetches what it then throws away; without it the client asks the next cache or builds, and the next push of the
 * path brings it back. What else `nix copy` has to push it finds by asking for narinfos.
 *
 * A damaged NAR goes with it where its name is the SHA-256 that it has not: a pusher who asks for it with HEAD would
 * be told that it is there, would not upload it, and the path would never heal. Both intentions are one
 * transaction, so that a death in between leaves no such NAR.
 */
async function deleteBroken(
  c: CatalogContext,
  info: NarInfo,
  nar: string,
  object: R2Object | null,
  alongside: () => void,
): Promise<void> {
  const { hash } = info.storePath;
  let narGoes = false;
  await deleteNarInfo(c, hash, () => {
    alongside();
    forget(c, hash);
    narGoes = object !== null && isWorthless(object, info) && isUnused(c, object);
    if (narGoes) beginNarDeletion(c, nar);
  });
  if (narGoes) await c.locks.run(nar, () => executeDeletions(c, [nar]));
}

/** Whether the object is certainly not what its own name says, so that no narinfo could ever be right about it. */
function isWorthless(object: R2Object, info: NarInfo): boolean {
  const named = narKeySha256(object.key);
  if (named === undefined) return false;
  const recorded = sha256Of(object);
  if (recorded !== undefined) return recorded !== named;
  // Without a checksum there is only the size, and only this narinfo to say which is right: it must mean this name.
  const { fileHash, fileSize } = info;
  return (
    fileHash?.algorithm === "sha256" &&
    fileHash.bytes.toHex() === named &&
    fileSize !== undefined &&
    object.size !== fileSize
  );
}

/** Nothing refers to it any more, nothing is about to, and nobody is about to replace it. */
function isUnused(c: CatalogContext, { key, uploaded }: R2Object): boolean {
  if (isNarReferred(c, key) || isNarOfUnindexed(c, key) || isNarBeingPublished(c, key)) return false;
  const announced = c.sql
    .exec<{ uploaded: number }>("SELECT uploaded FROM nars WHERE key = ?", key)
    .toArray()[0]?.uploaded;
  return announced === undefined || announced <= Math.max(uploaded.getTime(), c.now() - UPLOAD_MS);
}
