// Verification for which a client waits: of a path that is served only once it is verified, or of one of two that
// contradict each other.
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { queueNar } from "../rows/nar-queue.ts";
import type { Learnt } from "./learn.ts";
import { readContent } from "./read.ts";
import { claimOf, verdictOf } from "./verdict.ts";

/** Milliseconds for which a client waits. Nix gives up after 300 seconds without a byte. */
const PATIENCE_MS = 60_000;

/**
 * Reads a NAR that is in the bucket. Throws {@link Refused} being-verified when the client has waited long enough; the
 * reading goes on, and the client's next try finds it done.
 */
export async function verifiedInTime(c: CatalogContext, info: NarInfo): Promise<Learnt> {
  const claim = claimOf(info);
  // If this request or its object dies, an alarm reads it.
  queueNar(c, claim.nar);
  c.wakeForVerification();
  const reading = readContent(c, claim.nar, [claim]);
  const patience = new AbortController();
  const late = scheduler.wait(PATIENCE_MS, { signal: patience.signal }).then(
    () => "late" as const,
    // Aborted, because the reading has ended.
    () => undefined,
  );
  const first = await Promise.race([reading, late]);
  if (first === "late") {
    reading.catch((error) => console.warn(`${claim.nar} could not be read`, error));
    throw new Refused({ kind: "being-verified", path: info.storePath.baseName, nar: claim.nar });
  }
  patience.abort();
  const { facts = {}, etag } = first ?? {};
  const verdict = verdictOf(facts, claim);
  return { verdict, isQueued: false, ...(etag !== undefined && { known: { facts, etag } }) };
}
