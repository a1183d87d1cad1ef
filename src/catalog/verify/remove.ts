// Removes what was found false: the narinfo at once, then its NAR.
import { parseNarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import type { Reading } from "../facts/read.ts";
import { verdictNow } from "../facts/verdict-now.ts";
import { executeDeletions, resolveKey } from "../publish/resolve.ts";
import { deleteNarInfo } from "../remove/delete.ts";
import { companionsOfNar } from "../rows/companions.ts";
import { note } from "../rows/findings.ts";
import { isNarBeingPublished, recordIntent } from "../rows/intents.ts";
import { keepFactsOnly, lastUseOfNar } from "../rows/nars.ts";
import { isNarReferred, signedPath } from "../rows/paths.ts";
import { isoTime } from "../times.ts";

export interface FalsePath {
  /** Base name. */
  readonly name: string;
  /** For a finding: names the pusher. */
  readonly detail: string;
  /** Milliseconds since the epoch. */
  readonly lastPush: number;
}

/** A path that has this NAR, which is known to be false; otherwise `undefined`. */
export function falsePath(
  c: CatalogContext,
  hash: string,
  nar: string,
  reading?: Reading,
): FalsePath | undefined {
  const row = signedPath(c, hash);
  // Replaced or deleted since the NAR was read.
  if (row?.nar !== nar) return undefined;
  const info = parseNarInfo(row.narinfo, c.config.storeDir);
  const verdict = verdictNow(c, info, reading);
  if (verdict.kind !== "false") return undefined;
  const pushed = `pushed by ${row.pushed_by} at ${isoTime(row.last_push)}`;
  return {
    name: info.storePath.baseName,
    detail: `its NAR ${nar} ${verdict.reason}; ${pushed}`,
    lastPush: row.last_push,
  };
}

interface Removal {
  readonly reading?: Reading | undefined;
  /** Done in the transaction that records the finding. */
  readonly alongside?: (found: FalsePath) => void;
}

/**
 * Deletes the narinfo of a path whose NAR is false, although others may refer to it: with it a client fails or builds
 * with wrong content; without it the client asks the next cache or builds, and the next push of the path heals it.
 * Returns its last push (milliseconds since the epoch); `undefined` where it was replaced or deleted before.
 */
export function removeFalsePath(
  c: CatalogContext,
  hash: string,
  nar: string,
  { reading, alongside }: Removal = {},
): Promise<number | undefined> {
  return c.locks.run(hash, async () => {
    await resolveKey(c, hash);
    const found = falsePath(c, hash, nar, reading);
    if (found === undefined) return undefined;
    await deleteNarInfo(c, hash, () => {
      note(c, "verify", "false-narinfo", found.name, found.detail, true);
      alongside?.(found);
    });
    return found.lastPush;
  });
}

/**
 * Deletes a NAR that no path has and no publication needs, and that no pusher has used since the last push of its false
 * paths (milliseconds since the epoch): another path may be about to have it. Then it stays released, and the sweep
 * deletes it. Its facts stay: the same file is not believed again.
 */
export function deleteUnusedNar(c: CatalogContext, key: string, lastFalsePush: number): Promise<void> {
  return c.locks.run(key, async () => {
    await resolveKey(c, key);
    if (isNarReferred(c, key) || isNarBeingPublished(c, key)) return;
    if ((lastUseOfNar(c, key) ?? 0) > lastFalsePush) return;
    c.transaction(() => {
      const objects = companionsOfNar(c, key);
      keepFactsOnly(c, key);
      recordIntent(c, { kind: "delete-nar", key, objects });
    });
    await executeDeletions(c, [key]);
  });
}
