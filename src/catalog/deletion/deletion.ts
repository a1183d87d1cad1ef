// The deletion of a path with all that refers to it: at once where these are few, else a run.
import type { Deleted } from "../../contract/paths.ts";
import type { DeletionReport } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { addSpent, metered, NOTHING_SPENT } from "../meter.ts";
import { importPathFromBucket } from "../publish/import.ts";
import { resolveKey } from "../publish/resolve.ts";
import { Refused } from "../refuse.ts";
import { deletePath, pathsAbove } from "../remove/delete.ts";
import { findingsOf } from "../rows/findings.ts";
import { pathRow } from "../rows/paths.ts";
import { defineRun, type Step } from "../runs/definition.ts";
import { requestRun } from "../runs/engine.ts";
import { progress } from "../runs/report.ts";
import { saveRun } from "../runs/run.ts";
import { deleteFound } from "./delete.ts";
import { find } from "./find.ts";
import { DELETION_RECORD, type DeletionRun, type DeletionState } from "./state.ts";

/** Paths that one request deletes at once. */
export const MAX_AT_ONCE = 100;
/** Skipped paths that a report names. */
const MAX_NAMED = 20;
const STATUS_PATH = "/api/v1/deletion";

export const DELETION = defineRun({
  record: DELETION_RECORD,
  steps: { find: counted(find), delete: counted(deleteFound) },
  request: requestDeletion,
  report: deletionReport,
});

/**
 * Deletes a path; with `withReferrers` also everything that refers to it, directly or not. More than {@link MAX_AT_ONCE}
 * are deleted by a run, whose report this is then. Throws {@link Refused}: no-such-path, referred, pinned or
 * deletion-under-way.
 */
export async function deleteOrBegin(
  c: CatalogContext,
  hash: string,
  withReferrers: boolean,
  withNars = false,
): Promise<Deleted | DeletionReport> {
  if (!withReferrers) return deletePath(c, hash, false, withNars);
  await c.locks.run(hash, () => resolveKey(c, hash));
  if (pathRow(c, hash) === undefined) await importPathFromBucket(c, hash);
  if (pathsAbove(c, hash, MAX_AT_ONCE).size <= MAX_AT_ONCE) return deletePath(c, hash, true, withNars);
  return requestRun(c, DELETION, { hash, withNars });
}

function requestDeletion(
  c: CatalogContext,
  { hash, withNars = false }: { readonly hash: string; readonly withNars?: boolean },
): DeletionRun {
  const current = DELETION_RECORD.load(c);
  if (current !== undefined && current.finished === undefined) {
    if (current.state.hash === hash) {
      // Those of the paths that are gone already keep their grace period.
      if (withNars) current.state.withNars = true;
      saveRun(c, current);
      return current;
    }
    throw new Refused({ kind: "deletion-under-way", path: current.state.path });
  }
  const row = pathRow(c, hash);
  if (row === undefined) throw new Refused({ kind: "no-such-path", hash });
  return DELETION_RECORD.start(c, {
    ...{ hash, path: `${hash}-${row.name}`, withNars },
    ...{ found: 0, deleted: 0, isClear: false, reading: null, again: null },
    spent: { ...NOTHING_SPENT },
  });
}

/** The same step, with its cost counted. */
function counted(work: Step<"deletion", DeletionState>): Step<"deletion", DeletionState> {
  return async (c, run) => {
    const { context, spent } = metered(c);
    try {
      return await work(context, run);
    } finally {
      const saved = DELETION_RECORD.load(c);
      if (saved !== undefined) {
        run.state.spent = saved.state.spent = addSpent(saved.state.spent, spent());
        saveRun(c, saved);
      }
    }
  };
}

function deletionReport(c: CatalogContext, run: DeletionRun): DeletionReport {
  const { path, found, deleted, stopped, spent, withNars: now = false } = run.state;
  const { cacheName, defaultName } = c.config;
  return {
    ...progress(run),
    ...{ path, now, found, deleted },
    ...(stopped !== undefined && { stopped }),
    skipped: findingsOf(c, "deletion", "stuck-deletion", MAX_NAMED),
    spent,
    status_url: cacheName === defaultName ? STATUS_PATH : `/${cacheName}${STATUS_PATH}`,
  };
}
