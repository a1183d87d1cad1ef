// Removes what was found false: the narinfo at once, then its NAR.
import { parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { verdictNow } from "../facts/verdict-now.ts";
import { executeDeletions, resolveKey } from "../publish/resolve.ts";
import { deleteNarInfo } from "../remove/delete.ts";
import { companionsOfNar } from "../rows/companions.ts";
import { note } from "../rows/findings.ts";
import { isNarBeingPublished, recordIntent } from "../rows/intents.ts";
import { keepFactsOnly } from "../rows/nars.ts";
import { isNarReferred, signedPath } from "../rows/paths.ts";
import { isoTime } from "../times.ts";

/**
 * Deletes the narinfo of a path whose NAR is false, although others may refer to it: with it a client fails or builds
 * with wrong content; without it the client asks the next cache or builds, and the next push of the path heals it.
 */
export function removeFalsePath(c: CatalogContext, hash: string, nar: string): Promise<void> {
  return c.locks.run(hash, async () => {
    await resolveKey(c, hash);
    const row = signedPath(c, hash);
    // Replaced or deleted since it was read.
    if (row?.nar !== nar) return;
    const info = parseNarInfo(row.narinfo, c.config.storeDir);
    const verdict = verdictNow(c, info);
    if (verdict.kind !== "false") return;
    const pushed = `pushed by ${row.pushed_by} at ${isoTime(row.last_push)}`;
    await deleteNarInfo(c, hash, () =>
      note(
        c,
        "verify",
        "false-narinfo",
        info.storePath.baseName,
        `its NAR ${nar} ${verdict.reason}; ${pushed}`,
        true,
      ),
    );
  });
}

/** Deletes a NAR that no path has and no publication needs. Its facts stay: the same file is not believed again. */
export function deleteUnusedNar(c: CatalogContext, key: string): Promise<void> {
  return c.locks.run(key, async () => {
    await resolveKey(c, key);
    if (isNarReferred(c, key) || isNarBeingPublished(c, key)) return;
    c.transaction(() => {
      const objects = companionsOfNar(c, key);
      keepFactsOnly(c, key);
      recordIntent(c, { kind: "delete-nar", key, objects });
    });
    await executeDeletions(c, [key]);
  });
}
