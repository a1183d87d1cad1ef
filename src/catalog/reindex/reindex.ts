// Reindex: updates the catalog from the bucket, while the cache continues to serve, accept and delete.
//
// It walks the listing and reads only what differs from the rows. Concurrent changes cannot mislead it: where a page
// contradicts the catalog, the key is compared again under its lock.
// - A path published after its page was listed has a row but is not on the page: its narinfo is found.
// - A path deleted after its page was listed is on the page and has no row: no narinfo is found.
// - A path rewritten after its page was listed has another etag on the page: row and narinfo agree.
// - A publication or deletion under way holds the lock until row and bucket agree. The intent of a crashed one is
// resolved first.
import type { ReindexOptions, ReindexReport } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { findingsOf } from "../rows/findings.ts";
import { defineRun } from "../runs/definition.ts";
import { walkReport } from "../scan/counts.ts";
import { reindexCompanions } from "./companions.ts";
import { reindexNarInfos } from "./narinfos.ts";
import { reindexNars } from "./nars.ts";
import { reindexPins } from "./pins.ts";
import { markIncomplete } from "./references.ts";
import { ensureReindex, REINDEX_RECORD, type ReindexRun, startReindex } from "./state.ts";
import { forgetUpstreams, reindexUpstreams } from "./upstreams.ts";

/** Findings of each kind that a report names. */
const MAX_NAMED = 20;

export const REINDEX = defineRun({
  record: REINDEX_RECORD,
  // NARs come after the narinfos: indexing a narinfo assumes that its NAR is there and matches.
  steps: {
    narinfos: reindexNarInfos,
    nars: reindexNars,
    upstreams: reindexUpstreams,
    "upstream-paths": forgetUpstreams,
    references: markIncomplete,
    companions: reindexCompanions,
    pins: reindexPins,
  },
  request: (c, { restart = false }: ReindexOptions) => (restart ? startReindex(c) : ensureReindex(c)),
  report: reindexReport,
  // The other kinds need an indexed bucket, so they wait for the first reindex.
  isExclusive: ({ completed }) => completed === undefined,
});

function reindexReport(c: CatalogContext, run: ReindexRun): ReindexReport {
  const { counts } = run.state;
  return {
    ...walkReport(run, counts),
    indexed: counts.indexed,
    removed: counts.removed,
    unreadable: findingsOf(c, "reindex", "unreadable-narinfo", MAX_NAMED),
    unreadable_pins: findingsOf(c, "reindex", "unreadable-pin", MAX_NAMED),
  };
}
