// NARs that pushers are about to upload, or rely on.
import type { AnnouncedNar } from "../../contract/uploads.ts";
import type { CatalogContext } from "../context.ts";
import { isBeingDeleted } from "../rows/intents.ts";
import { saveNarName } from "../rows/nar-names.ts";
import { isSameNar, saveAnnouncedNar, saveNarSeen } from "../rows/nars.ts";
import { resolveKey } from "./resolve.ts";

/**
 * A pusher is about to upload a NAR. Recorded before the bucket is written, so that the catalog knows every object that
 * may be there; a deletion of the same key in flight ends first. Returns the time of the announcement (milliseconds since
 * the epoch) if it is the first: then only another tool can have stored it.
 */
export async function announceNar(c: CatalogContext, nar: AnnouncedNar): Promise<number | undefined> {
  return c.locks.run(nar.key, async () => {
    await resolveKey(c, nar.key);
    const announced = saveAnnouncedNar(c, nar);
    if (nar.name !== undefined) saveNarName(c, nar.name, nar.key);
    return announced;
  });
}

/**
 * A pusher has found a NAR, which was uploaded then (milliseconds since the epoch), and relies on it. A deletion in flight
 * ends first. From here on the NAR stays. True where it has not been deleted since it was found.
 */
export async function touchNar(c: CatalogContext, key: string, uploaded = 0): Promise<boolean> {
  if (isBeingDeleted(c, key) || c.locks.isHeld(key)) await c.locks.run(key, () => resolveKey(c, key));
  saveNarSeen(c, key);
  return isSameNar(c, key, uploaded);
}
