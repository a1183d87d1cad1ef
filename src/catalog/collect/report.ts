// The report on a collection.
import { GB } from "../../config/retention.ts";
import type { GcReport } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { findingsOf } from "../rows/findings.ts";
import { progress } from "../runs/report.ts";
import type { GcRun } from "./collection.ts";

/** Skipped keys that a report names. */
const MAX_NAMED = 20;

export function gcReport(c: CatalogContext, run: GcRun): GcReport {
  const { dryRun, force, rules, dead, roots, oldest, removed, spared, uploads, spent, stopped } = run.state;
  const { before, began, upstream = { paths: 0, bytes: 0 } } = run.state;
  // Those that have gone are not in `before`, once it has been counted again.
  const upstreamHere = dryRun || began === undefined ? upstream : { paths: 0, bytes: 0 };
  const { pins } = c.sql.exec<{ pins: number }>("SELECT count(*) AS pins FROM pins").one();
  return {
    ...progress(run),
    dry_run: dryRun,
    force,
    upstreams: run.state.upstreams ?? false,
    retention_days: rules.retentionDays,
    max_size_gb: rules.maxSizeBytes === null ? null : rules.maxSizeBytes / GB,
    ...(stopped !== undefined && { stopped }),
    ...(began ?? before),
    pins,
    roots,
    alive: {
      paths: Math.max(before.paths - dead.paths - upstreamHere.paths, 0),
      bytes: Math.max(before.bytes - dead.bytes - upstreamHere.bytes, 0),
    },
    dead,
    oldest,
    upstream,
    removed,
    spared,
    skipped: findingsOf(c, "gc", "stuck-deletion", MAX_NAMED),
    unpublished_nars: uploads,
    spent,
  };
}
