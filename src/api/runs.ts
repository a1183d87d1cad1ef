// /reindex, /check, /resign and /gc: work on the whole cache. A POST begins a run, or continues the one under way,
// does one step and answers with a report. Alarms of the catalog do the other steps, and a GET reports on them.
import type * as v from "valibot";
import type { Context } from "../context.ts";
import {
  CHECK_OPTIONS,
  CHECK_REPORT,
  DELETION_REPORT,
  GC_OPTIONS,
  GC_REPORT,
  REINDEX_OPTIONS,
  REINDEX_REPORT,
  RESIGN_OPTIONS,
  RESIGN_REPORT,
  type RunKind,
} from "../contract/runs.ts";
import { HttpError } from "../http/errors.ts";
import type { BodySchema } from "./input.ts";
import { type Operation, operation } from "./operation.ts";

const STEPWISE =
  "Does one step and answers how far it is; the others follow by themselves, or with each request.";

export const RUN_OPERATIONS = [
  ...run({
    kind: "reindex",
    summary: "Rebuild the catalog from the bucket.",
    statusSummary: "How the last reindex went, or how far it is.",
    options: REINDEX_OPTIONS,
    report: REINDEX_REPORT,
    begin: ({ catalog }, options) => catalog((c) => c.reindex(options)),
    status: ({ catalog }) => catalog((c) => c.reindexStatus()),
  }),
  ...run({
    kind: "check",
    summary: "Look for damage in the bucket and the catalog.",
    statusSummary: "What the last check found, or has found so far.",
    options: CHECK_OPTIONS,
    report: CHECK_REPORT,
    begin: ({ catalog }, options) => catalog((c) => c.check(options)),
    status: ({ catalog }) => catalog((c) => c.checkStatus()),
  }),
  ...run({
    kind: "resign",
    summary: "Sign all paths and realisations with the keys that are configured now.",
    description: "After SIGNING_KEY has changed. Signatures by other keys stay, unless drop names the key.",
    statusSummary: "What the last resign did, or has done so far.",
    options: RESIGN_OPTIONS,
    report: RESIGN_REPORT,
    conflict: "No key is configured, or the one to drop is.",
    begin: ({ catalog }, options) => catalog((c) => c.resign(options)),
    status: ({ catalog }) => catalog((c) => c.resignStatus()),
  }),
  ...run({
    kind: "gc",
    summary: "Collect what nothing keeps.",
    description: "A run that would remove more than half of the cache stops, unless force is set.",
    statusSummary: "What the last collection did, or has done so far.",
    options: GC_OPTIONS,
    report: GC_REPORT,
    conflict: "A dry run, while a collection is under way.",
    begin: ({ catalog }, options) => catalog((c) => c.gc(options)),
    status: ({ catalog }) => catalog((c) => c.gcStatus()),
  }),
  operation({
    id: "deletionStatus",
    method: "GET",
    path: "/deletion",
    permission: "admin",
    summary: "How the last deletion of many paths went, or how far it is.",
    answer: DELETION_REPORT,
    errors: { 404: "No deletion of many paths has been asked for yet." },
    handle: async ({ catalog }) => {
      const last = await catalog((c) => c.deletionStatus());
      if (last !== undefined) return last;
      throw new HttpError(404, "no deletion of many paths has been asked for yet");
    },
  }),
];

interface RunDescription<O extends BodySchema, R extends v.GenericSchema> {
  readonly kind: RunKind;
  readonly summary: string;
  readonly description?: string;
  readonly statusSummary: string;
  readonly options: O;
  readonly report: R;
  /** When the run is refused with 409. */
  readonly conflict?: string;
  readonly begin: (context: Context, options: v.InferOutput<O>) => Promise<v.InferOutput<R>>;
  /** `undefined` if there was none. */
  readonly status: (context: Context) => Promise<v.InferOutput<R> | undefined>;
}

function run<O extends BodySchema, R extends v.GenericSchema>({
  kind,
  summary,
  description,
  statusSummary,
  options,
  report,
  conflict,
  begin,
  status,
}: RunDescription<O, R>): readonly Operation[] {
  const shared = { path: `/${kind}`, permission: "admin", answer: report } as const;
  return [
    operation({
      ...shared,
      id: kind,
      method: "POST",
      summary,
      description: description === undefined ? STEPWISE : `${description} ${STEPWISE}`,
      body: options,
      ...(conflict !== undefined && { errors: { 409: conflict } }),
      handle: (context, { body }) => begin(context, body),
    }),
    operation({
      ...shared,
      id: `${kind}Status`,
      method: "GET",
      summary: statusSummary,
      errors: { 404: "None has been asked for yet." },
      handle: async (context) => {
        const last = await status(context);
        if (last !== undefined) return last;
        throw new HttpError(404, `no ${kind} has been asked for yet; begin one with POST /api/v1/${kind}`);
      },
    }),
  ];
}
