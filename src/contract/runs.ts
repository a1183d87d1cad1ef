// Runs: stepwise work on the whole cache, their options and reports.
import * as v from "valibot";
import { KEY_NAME } from "../nix/signature.ts";
import { FINDING_KINDS, FINDINGS } from "./findings.ts";
import {
  BASE_NAME,
  BYTES,
  COUNT,
  described,
  FLAG,
  listOf,
  matching,
  named,
  STORE_PATH,
  TEXT,
  TIME,
} from "./schema.ts";

/** The phases of each kind of run, in order. */
export const PHASES = {
  reindex: ["narinfos", "nars", "upstreams", "upstream-paths", "references", "companions", "pins"],
  check: ["narinfos", "nars", "contents", "references", "pins"],
  gc: ["upstreams", "mark", "sweep", "uploads"],
  resign: ["narinfos", "realisations"],
  deletion: ["find", "delete"],
  migrate: ["nars", "paths", "drop"],
} as const;

export type RunKind = keyof typeof PHASES;

export type PhaseOf<K extends RunKind> = (typeof PHASES)[K][number];

export type Phase = PhaseOf<RunKind>;

/** The report fields of every run. */
function progress(kind: RunKind) {
  return {
    kind: v.literal(kind),
    done: FLAG,
    started: TIME,
    finished: v.exactOptional(described("Absent while it goes on.", TIME)),
    phase: described("What it walks now, or walked last.", v.picklist(PHASES[kind])),
    steps: COUNT,
    problem: v.exactOptional(
      described("Why the last step stopped short; it is tried again by itself.", TEXT),
    ),
  };
}

const WALKED = {
  narinfos: described("Met in the bucket so far.", COUNT),
  nars: described("Objects under nar/, met in the bucket so far.", COUNT),
};

const PROGRESS = v.object(progress("reindex"));
export type Progress = v.InferOutput<typeof PROGRESS>;

const RUN_REPORT = v.object({ ...progress("reindex"), ...WALKED });
export type RunReport = v.InferOutput<typeof RUN_REPORT>;

const RESTART = v.exactOptional(described("Begin again from the start although one is under way.", FLAG));

export const REINDEX_OPTIONS = v.pipe(v.object({ restart: RESTART }), v.examples([{ restart: true }]));
export type ReindexOptions = v.InferOutput<typeof REINDEX_OPTIONS>;

export const REINDEX_REPORT = named(
  "ReindexReport",
  v.object({
    ...progress("reindex"),
    ...WALKED,
    indexed: described("Paths taken into the catalog, or brought up to date.", COUNT),
    removed: described("Rows removed, of paths and of NARs, whose object is not there.", COUNT),
    unreadable: FINDINGS,
    unreadable_pins: FINDINGS,
  }),
);
export type ReindexReport = v.InferOutput<typeof REINDEX_REPORT>;

export const CHECK_OPTIONS = v.pipe(
  v.object({
    repair: v.exactOptional(
      described("Repair what is safe to repair. One under way that does otherwise is begun again.", FLAG),
    ),
    deep: v.exactOptional(
      described("Read every NAR again. One under way that does otherwise is begun again.", FLAG),
    ),
    restart: RESTART,
  }),
  v.examples([{ repair: true }, { deep: true }]),
);
export type CheckOptions = v.InferOutput<typeof CHECK_OPTIONS>;

export const CHECK_REPORT = named(
  "CheckReport",
  v.object({
    ...progress("check"),
    ...WALKED,
    repair: described("Whether it repairs what is safe to repair.", FLAG),
    deep: described("Whether it reads every NAR again.", FLAG),
    read: described("NARs read again so far.", COUNT),
    unverifiable: described("Of them, NARs that cannot be verified.", COUNT),
    clean: described("Nothing found so far.", FLAG),
    findings: v.object(v.entriesFromList(FINDING_KINDS, FINDINGS)),
  }),
);
export type CheckReport = v.InferOutput<typeof CHECK_REPORT>;

export const GC_OPTIONS = v.pipe(
  v.object({
    dry_run: v.exactOptional(described("Only say what would go.", FLAG)),
    force: v.exactOptional(described("Go on although more than half of the cache would go.", FLAG)),
    upstreams: v.exactOptional(
      described("Also remove the paths that an upstream has, unless a pin names them.", FLAG),
    ),
  }),
  v.examples([{ dry_run: true }]),
);
export type GcOptions = v.InferOutput<typeof GC_OPTIONS>;

const AMOUNT = v.object({ paths: COUNT, bytes: BYTES });
export type Amount = v.InferOutput<typeof AMOUNT>;

const SPENT = v.object({
  class_a: COUNT,
  class_b: COUNT,
  deletes: described("Calls that delete, up to 1,000 objects each; free.", COUNT),
  rows_read: COUNT,
  rows_written: COUNT,
});
export type Spent = v.InferOutput<typeof SPENT>;

export const GC_REPORT = named(
  "GcReport",
  v.object({
    ...progress("gc"),
    dry_run: described("Nothing was to be deleted.", FLAG),
    force: described("More than half of the cache may go.", FLAG),
    upstreams: described("Paths that an upstream has go, too.", FLAG),
    retention_days: described("null: paths do not go by age.", v.nullable(v.number())),
    max_size_gb: described("null: paths do not go by size.", v.nullable(v.number())),
    stopped: v.exactOptional(
      described("Why it ended before its end, or before it deleted anything; what to do.", TEXT),
    ),
    paths: described("Here when it began.", COUNT),
    bytes: described("Of their NARs in the bucket, each counted once.", COUNT),
    pins: COUNT,
    roots: described("Paths that stay of themselves, and keep all that they refer to.", COUNT),
    alive: AMOUNT,
    dead: described(
      "What no root keeps alive; `expired` because of its age, `too_large` because of max_size_gb.",
      v.object({ ...AMOUNT.entries, expired: COUNT, too_large: COUNT }),
    ),
    oldest: described(
      "The first hundred of the dead, the oldest first.",
      listOf(v.object({ store_path: STORE_PATH, last_used: TIME })),
    ),
    upstream: described("What goes, or went, because an upstream has it; not among the dead.", AMOUNT),
    removed: described("Deleted so far; the bytes leave the bucket a grace period later.", AMOUNT),
    spared: described("Dead when it looked, and used again before they could go.", COUNT),
    skipped: described("Paths and objects that it passed by, and why.", FINDINGS),
    unpublished_nars: described("NARs that were uploaded and never published, and go now.", COUNT),
    spent: described("Operations of the bucket by class, calls that delete, and rows of the catalog.", SPENT),
  }),
);
export type GcReport = v.InferOutput<typeof GC_REPORT>;

export const RESIGN_OPTIONS = v.pipe(
  v.object({
    drop: v.exactOptional(
      described(
        "The name of a key whose signatures go. One under way that does otherwise is begun again.",
        matching(KEY_NAME, "must name a key"),
      ),
    ),
    restart: RESTART,
  }),
  v.examples([{ drop: "cache.example.org-1" }]),
);
export type ResignOptions = v.InferOutput<typeof RESIGN_OPTIONS>;

export const RESIGN_REPORT = named(
  "ResignReport",
  v.object({
    ...progress("resign"),
    drop: described("The key whose signatures go; null: none.", v.nullable(TEXT)),
    keys: described("Names of the keys with which it signs.", listOf(TEXT)),
    paths: described("Looked at so far.", COUNT),
    resigned: described("Narinfos that had other signatures and were written.", COUNT),
    realisations: described("Looked at so far.", COUNT),
    resigned_realisations: described("Realisations that had other signatures and were written.", COUNT),
    unreadable: described("Paths passed by, and why.", FINDINGS),
    unreadable_realisations: described("Realisations passed by, and why.", FINDINGS),
  }),
);
export type ResignReport = v.InferOutput<typeof RESIGN_REPORT>;

export const DELETION_REPORT = named(
  "DeletionReport",
  v.object({
    ...progress("deletion"),
    path: described("The path that goes, with all that refers to it.", BASE_NAME),
    now: described("Whether their NARs go at once, too.", FLAG),
    found: described("Paths found so far that go.", COUNT),
    deleted: described("Of them, deleted so far.", COUNT),
    stopped: v.exactOptional(
      described("Why it ended before all were deleted; what to do. Every closure is whole.", TEXT),
    ),
    skipped: described("Paths passed by, and why.", FINDINGS),
    spent: described("Operations of the bucket by class, calls that delete, and rows of the catalog.", SPENT),
    status_url: described("GET this path to see how far it is.", TEXT),
  }),
);
export type DeletionReport = v.InferOutput<typeof DELETION_REPORT>;

/** The migration of a catalog to a new layout of its tables, which begins by itself. */
export interface MigrateReport extends Progress {
  /** Taken over so far. */
  readonly paths: number;
}
