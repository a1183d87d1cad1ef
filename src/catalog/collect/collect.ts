// Collecting: marks the paths that no root keeps alive, deletes them level by level, and releases unpublished
// uploads. docs/internals/collecting.md explains why no interleaving leaves a closure incomplete.
import { REINDEX } from "../reindex/reindex.ts";
import { defineRun } from "../runs/definition.ts";
import { GC_RECORD } from "./collection.ts";
import { guarded } from "./guard.ts";
import { mark } from "./mark.ts";
import { gcReport } from "./report.ts";
import { requestCollection } from "./request.ts";
import { sweep } from "./sweep.ts";
import { releaseUploads } from "./uploads.ts";
import { removeUpstream } from "./upstreams.ts";

export const COLLECT = defineRun({
  record: GC_RECORD,
  steps: {
    upstreams: guarded(removeUpstream),
    mark: guarded(mark),
    sweep: guarded(sweep),
    uploads: guarded(releaseUploads),
  },
  request: requestCollection,
  report: gcReport,
  continuesFirst: [REINDEX],
  // A restarted reindex clears the list of unreadable objects, which may block a collection.
  waitsFor: [REINDEX],
});
