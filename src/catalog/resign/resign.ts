// Resign: gives every narinfo of the catalog and every realisation of the bucket the signatures of the keys that are
// configured now, after SIGNING_KEY has changed. Narinfos are in the rows, so one that has all its signatures costs
// nothing; a realisation costs a read.
import type { ResignOptions, ResignReport } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { signerOf } from "../publish/signatures.ts";
import { Refused } from "../refuse.ts";
import { REINDEX } from "../reindex/reindex.ts";
import { findingsOf } from "../rows/findings.ts";
import { defineRun } from "../runs/definition.ts";
import { progress } from "../runs/report.ts";
import { requireValidConfig } from "../runs/valid-config.ts";
import { resignNarInfos } from "./narinfos.ts";
import { resignRealisations } from "./realisations.ts";
import { publicKeys } from "./run.ts";
import { RESIGN_RECORD, type ResignRun } from "./state.ts";

/** Skipped paths that a report names. */
const MAX_NAMED = 20;

export const RESIGN = defineRun({
  record: RESIGN_RECORD,
  steps: { narinfos: resignNarInfos, realisations: resignRealisations },
  request: requestResign,
  report: resignReport,
  continuesFirst: [REINDEX],
});

/** Throws {@link Refused}: misconfigured, key-still-signs or no-signing-key. */
async function requestResign(c: CatalogContext, options: ResignOptions): Promise<ResignRun> {
  const current = RESIGN_RECORD.load(c);
  const underWay = current?.finished === undefined ? current : undefined;
  const { restart = false } = options;
  // Without `drop`, a resign under way keeps its options.
  const { drop = (restart ? undefined : underWay?.state.drop) ?? null } = options;
  await requireValidConfig(c, "signed");
  const keys = await publicKeys(c);
  if (drop !== null && keys.map(signerOf).includes(drop)) {
    throw new Refused({ kind: "key-still-signs", key: drop });
  }
  if (drop === null && keys.length === 0) {
    throw new Refused({ kind: "no-signing-key" });
  }
  if (underWay?.state.drop === drop && !restart) return underWay;
  const unpurged = current?.state.unpurged ?? [];
  const counts = { paths: 0, resigned: 0, realisations: 0, resignedRealisations: 0 };
  return RESIGN_RECORD.start(c, { drop, keys, ...counts, unpurged });
}

function resignReport(c: CatalogContext, run: ResignRun): ResignReport {
  const { drop, keys, paths, resigned, realisations, resignedRealisations } = run.state;
  return {
    ...progress(run),
    drop,
    keys: keys.map(signerOf),
    paths,
    resigned,
    realisations,
    resigned_realisations: resignedRealisations,
    unreadable: findingsOf(c, "resign", "unreadable-narinfo", MAX_NAMED),
    unreadable_realisations: findingsOf(c, "resign", "unreadable-realisation", MAX_NAMED),
  };
}
