// Check: looks for what is wrong in the bucket and the catalog, and on demand repairs what is safe to repair.
//
// Like reindex it walks the listing and takes a closer look, under the key's lock, only at what differs from the
// catalog. So a finding is what was true at that moment, and never the trace of a publication or deletion under way.
import { FINDING_KINDS, type FindingKind, type Findings } from "../../contract/findings.ts";
import type { CheckReport, PhaseOf } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { checkPins } from "../reindex/pins.ts";
import { findingsOf } from "../rows/findings.ts";
import type { Step } from "../runs/engine.ts";
import { loadRun, runReport } from "../runs/runs.ts";
import { checkNarInfos } from "./narinfos.ts";
import { checkNars } from "./nars.ts";
import { checkReferences } from "./references.ts";

/** Findings of each kind that a report names. */
const MAX_NAMED = 100;

/** `undefined` where none has been asked for yet. */
export function checkReport(c: CatalogContext): CheckReport | undefined {
  const run = loadRun(c, "check");
  if (run === undefined) return undefined;
  const findings = Object.fromEntries(
    FINDING_KINDS.map((kind) => [kind, findingsOf(c, "check", kind, MAX_NAMED)]),
  ) as Record<FindingKind, Findings>;
  return {
    ...runReport(run),
    repair: run.repair,
    clean: Object.values(findings).every((found) => found.count === 0),
    findings,
  };
}

/** In this order a repair of one phase is what the next one looks at. */
export const CHECK_STEPS: Record<PhaseOf<"check">, Step> = {
  narinfos: checkNarInfos,
  nars: checkNars,
  references: checkReferences,
  pins: checkPins,
};
