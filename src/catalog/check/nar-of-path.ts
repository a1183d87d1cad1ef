// Checks whether a path's NAR in the bucket is the one that its narinfo describes.
import { narKeySha256, sha256Of } from "../../bucket/nar-object.ts";
import { bucketOperation } from "../../bucket/operation.ts";
import { fileContradiction, narContradiction, type ReadFile } from "../../bucket/stored-nar.ts";
import { narPlaceOf } from "../../nix/nar-url.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { executeDeletions } from "../publish/resolve.ts";
import { deleteNarInfo } from "../remove/delete.ts";
import { beginNarDeletion } from "../remove/sweep.ts";
import { note } from "../rows/findings.ts";
import { isNarReferred } from "../rows/nar-paths.ts";
import { isNarBeingPublished, publishingReferrers } from "../rows/publications.ts";
import { forget, isNarOfUnindexed } from "../rows/unindexed.ts";
import { comparePath } from "../scan/compare.ts";
import type { CheckRun } from "./state.ts";

/** Milliseconds after which an announced upload that has not arrived counts as failed. */
const UPLOAD_MS = 3 * 3600 * 1000;

/** At most two bucket operations, and two more to repair. `read` is what the NAR was found to be, where it was read. */
export function checkNarOfPath(
  c: CatalogContext,
  run: CheckRun,
  hash: string,
  read?: ReadFile,
): Promise<void> {
  return comparePath(c, hash, async (state) => {
    // The first phase has dealt with all other states.
    if (state.kind !== "known" && state.kind !== "unindexed") return;
    const { info } = state.found;
    const { key: nar, isElsewhere } = narPlaceOf(info.url);
    const object = await bucketOperation("head", () => c.bucket.head(nar));
    const file = read !== undefined && object?.etag === read.object.etag ? read : undefined;
    const contradiction =
      object === null
        ? "is not in the bucket"
        : (narContradiction(object, info) ?? (file && fileContradiction(file, info)));
    if (contradiction === undefined) return;
    if (object === null && isElsewhere) {
      // Clients find it there, so that nothing is wrong.
      const where = `its NAR is not here; its narinfo names ${info.url}`;
      return c.transaction(() => note(c, run.kind, "foreign-nar", info.storePath.baseName, where));
    }
    const noteIt = (repaired: boolean) =>
      note(
        c,
        run.kind,
        object === null ? "missing-nar" : "damaged-nar",
        info.storePath.baseName,
        `its NAR ${nar} ${contradiction}`,
        repaired,
      );
    // A path that a publication under way refers to is not deleted.
    if (!run.state.repair || publishingReferrers(c, hash).length > 0)
      return c.transaction(() => noteIt(false));
    await deleteBroken(c, info, object, file?.sha256, () => noteIt(true));
  });
}

/**
 * Deletes a narinfo whose NAR is missing or wrong, although others may refer to it. With the narinfo a client fails, or
 * downloads a NAR that it rejects; without it the client asks the next cache or builds, and the next push of the path
 * brings it back.
 *
 * A damaged NAR is deleted too if its name is a SHA-256 that is not its own: HEAD would tell pushers that it is there,
 * they would not upload it, and the path would stay damaged. Both intents are recorded in one transaction, so that a
 * crash in between leaves no such NAR.
 */
async function deleteBroken(
  c: CatalogContext,
  info: NarInfo,
  object: R2Object | null,
  sha256: string | undefined,
  alongside: () => void,
): Promise<void> {
  const { hash } = info.storePath;
  const nar = narPlaceOf(info.url).key;
  let deletesNar = false;
  await deleteNarInfo(c, hash, () => {
    alongside();
    forget(c, hash);
    deletesNar = object !== null && isWorthless(object, info, sha256) && isUnused(c, object);
    if (deletesNar) beginNarDeletion(c, nar);
  });
  if (deletesNar) await c.locks.run(nar, () => executeDeletions(c, [nar]));
}

/** Whether the object's SHA-256 is certainly not the one in its name, so that no narinfo can ever match it. */
function isWorthless(object: R2Object, info: NarInfo, read: string | undefined): boolean {
  const named = narKeySha256(object.key);
  if (named === undefined) return false;
  const recorded = read ?? sha256Of(object);
  if (recorded !== undefined) return recorded !== named;
  // Without a checksum only the size can be compared, with a narinfo whose FileHash is the one in the name.
  const { fileHash, fileSize } = info;
  return (
    fileHash?.algorithm === "sha256" &&
    fileHash.bytes.toHex() === named &&
    fileSize !== undefined &&
    object.size !== fileSize
  );
}

/** Whether no path has it, no publication is about to use it, and no upload is about to replace it. */
function isUnused(c: CatalogContext, { key, uploaded }: R2Object): boolean {
  if (isNarReferred(c, key) || isNarOfUnindexed(c, key) || isNarBeingPublished(c, key)) return false;
  const announced = c.sql
    .exec<{ uploaded: number }>("SELECT uploaded FROM nars WHERE key = ?", key)
    .toArray()[0]?.uploaded;
  return announced === undefined || announced <= Math.max(uploaded.getTime(), c.now() - UPLOAD_MS);
}
