// Resigns one realisation: under its lock, only over what was read, so that a push or a deletion comes before or after it.
import type { Realisation } from "../../nix/realisation.ts";
import type { CatalogContext } from "../context.ts";
import { mergedAndSigned, saysTheSame, trustedKeyOf } from "../publish/realisation-signatures.ts";
import { signerOf } from "../publish/signatures.ts";
import { readRealisation, type StoredRealisation, writeRealisation } from "../publish/stored-realisation.ts";
import { Refused } from "../refuse.ts";
import { note } from "../rows/findings.ts";
import { saveRun } from "../runs/run.ts";
import type { ResignRun } from "./state.ts";

/** Bucket operations for one realisation: a read and a write. */
export const COST = 2;

export function resignRealisation(c: CatalogContext, run: ResignRun, key: string): Promise<void> {
  return c.locks.run(key, async () => {
    const stored = await readRealisation(c, key);
    // Deleted since the step began.
    if (stored === undefined) return;
    const problem =
      "unreadable" in stored ? `cannot be read: ${stored.unreadable}` : await resign(c, run, key, stored);
    if (problem !== undefined) note(c, "resign", "unreadable-realisation", key, problem);
  });
}

/** What is wrong with a realisation that cannot be written, or `undefined`. */
async function resign(
  c: CatalogContext,
  run: ResignRun,
  key: string,
  stored: StoredRealisation,
): Promise<string | undefined> {
  const realisation = await resigned(c, stored, run.state.drop);
  if (saysTheSame(realisation, stored.realisation)) return undefined;
  // Before the write, after which a crash could lose it.
  run.state.unpurged = [...run.state.unpurged, `/${key}`];
  saveRun(c, run);
  try {
    const isWritten = await writeRealisation(c, key, { ...stored, realisation }, stored.etag);
    if (!isWritten) return "is changing, or gone";
    run.state.resignedRealisations++;
    saveRun(c, run);
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return "would be too large";
    throw error;
  }
}

/** With the signatures that it should have. Where keys are trusted, the cache signs only what one of them has signed. */
async function resigned(
  c: CatalogContext,
  stored: StoredRealisation,
  drop: string | null,
): Promise<Realisation> {
  const { realisation } = stored;
  const kept = {
    ...realisation,
    signatures: realisation.signatures.filter((signature) => signerOf(signature) !== drop),
  };
  const { trusted } = await c.config.keys();
  const maySign = trusted.length === 0 || (await trustedKeyOf(c, stored)) !== undefined;
  return (maySign ? await mergedAndSigned(c, kept, kept) : undefined) ?? kept;
}
