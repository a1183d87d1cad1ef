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

export interface FalsePath {
  /** Base name. */
  readonly name: string;
  /** For a finding: names the pusher. */
  readonly detail: string;
}

/** A path that has this NAR, which is known to be false; otherwise `undefined`. */
export function falsePath(c: CatalogContext, hash: string, nar: string): FalsePath | undefined {
  const row = signedPath(c, hash);
  // Replaced or deleted since the NAR was read.
  if (row?.nar !== nar) return undefined;
  const info = parseNarInfo(row.narinfo, c.config.storeDir);
  const verdict = verdictNow(c, info);
  if (verdict.kind !== "false") return undefined;
  const pushed = `pushed by ${row.pushed_by} at ${isoTime(row.last_push)}`;
  return { name: info.storePath.baseName, detail: `its NAR ${nar} ${verdict.reason}; ${pushed}` };
}

/**
 * Deletes the narinfo of a path whose NAR is false, although others may refer to it: with it a client fails or builds
 * with wrong content; without it the client asks the next cache or builds, and the next push of the path heals it.
 * `alongside` is done in the transaction that records the finding.
 */
export function removeFalsePath(
  c: CatalogContext,
  hash: string,
  nar: string,
  alongside: (found: FalsePath) => void = () => {},
): Promise<void> {
  return c.locks.run(hash, async () => {
    await resolveKey(c, hash);
    const found = falsePath(c, hash, nar);
    if (found === undefined) return;
    await deleteNarInfo(c, hash, () => {
      note(c, "verify", "false-narinfo", found.name, found.detail, true);
      alongside(found);
    });
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
