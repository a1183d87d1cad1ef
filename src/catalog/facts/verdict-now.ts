// What the rows say of a path's content.
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { factsOf } from "../rows/nar-facts.ts";
import type { Reading } from "./read.ts";
import { claimOf, type Verdict, verdictOf } from "./verdict.ts";

/** `reading` counts where the row does not keep all of its facts, and both are of the same object. */
export function verdictNow(c: CatalogContext, info: NarInfo, reading?: Reading): Verdict {
  const claim = claimOf(info);
  const kept = factsOf(c, claim.nar);
  const verdict = verdictOf(kept?.facts, claim);
  const isSameObject = kept !== undefined && kept.etag === reading?.etag;
  return verdict.kind === "waiting" && isSameObject ? verdictOf(reading?.facts, claim) : verdict;
}
