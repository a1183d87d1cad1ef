// Check: looks for damage in the bucket and the catalog, and on request repairs what is safe to repair.
//
// Like a reindex it walks the listing, and compares under the key's lock only what differs from the catalog. So a finding
// was true at that moment, and is never a publication or deletion under way.
import { FINDING_KINDS, type FindingKind, type Findings } from "../../contract/findings.ts";
import type { CheckOptions, CheckReport } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { findingsOf } from "../rows/findings.ts";
import { defineRun } from "../runs/definition.ts";
import { walkReport } from "../scan/counts.ts";
import { checkContents } from "./contents.ts";
import { checkNarInfos } from "./narinfos.ts";
import { checkNars } from "./nars.ts";
import { checkPins } from "./pins.ts";
import { checkReferences } from "./references.ts";
import { CHECK_RECORD, type CheckRun } from "./state.ts";

/** Findings of each kind that a report names. */
const MAX_NAMED = 100;

export const CHECK = defineRun({
  record: CHECK_RECORD,
  // In this order each phase sees the repairs of the one before.
  steps: {
    narinfos: checkNarInfos,
    nars: checkNars,
    contents: checkContents,
    references: checkReferences,
    pins: checkPins,
  },
  request: requestCheck,
  report: checkReport,
});

/** Without `repair` or `deep`, a check under way goes on as it was asked for. */
function requestCheck(c: CatalogContext, { restart = false, repair, deep }: CheckOptions): CheckRun {
  const current = CHECK_RECORD.load(c);
  const goesOn =
    current !== undefined &&
    current.finished === undefined &&
    !restart &&
    (repair === undefined || repair === current.state.repair) &&
    (deep === undefined || deep === current.state.deep);
  return goesOn
    ? current
    : CHECK_RECORD.start(c, {
        repair: repair ?? false,
        deep: deep ?? false,
        counts: { narinfos: 0, nars: 0, read: 0, unverifiable: 0 },
      });
}

function checkReport(c: CatalogContext, run: CheckRun): CheckReport {
  const findings = Object.fromEntries(
    FINDING_KINDS.map((kind) => [kind, findingsOf(c, "check", kind, MAX_NAMED)]),
  ) as Record<FindingKind, Findings>;
  return {
    ...walkReport(run, run.state.counts),
    repair: run.state.repair,
    deep: run.state.deep,
    read: run.state.counts.read,
    unverifiable: run.state.counts.unverifiable,
    clean: Object.values(findings).every((found) => found.count === 0),
    findings,
  };
}
