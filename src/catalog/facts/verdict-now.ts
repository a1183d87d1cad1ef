// What the rows say of a path's content.
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { factsOf } from "../rows/nars.ts";
import { claimOf, type Verdict, verdictOf } from "./verdict.ts";

export function verdictNow(c: CatalogContext, info: NarInfo): Verdict {
  const claim = claimOf(info);
  return verdictOf(factsOf(c, claim.nar)?.facts, claim);
}
