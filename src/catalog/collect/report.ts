// The report on a collection.
import { GB } from "../../config/retention.ts";
import type { GcReport } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { progress } from "../runs/report.ts";
import type { GcRun } from "./collection.ts";

export function gcReport(c: CatalogContext, run: GcRun): GcReport {
  const { dryRun, force, rules, dead, roots, oldest, removed, spared, uploads, spent, stopped } = run.state;
  const before = run.state.before ?? { paths: 0, bytes: 0 };
  const { pins } = c.sql.exec<{ pins: number }>("SELECT count(*) AS pins FROM pins").one();
  return {
    ...progress(run),
    dry_run: dryRun,
    force,
    upstreams: run.state.upstreams ?? false,
    retention_days: rules.retentionDays,
    max_size_gb: rules.maxSizeBytes === null ? null : rules.maxSizeBytes / GB,
    ...(stopped !== undefined && { stopped }),
    ...before,
    pins,
    roots,
    alive: { paths: before.paths - dead.paths, bytes: before.bytes - dead.bytes },
    dead,
    oldest,
    upstream: run.state.upstream ?? { paths: 0, bytes: 0 },
    removed,
    spared,
    unpublished_nars: uploads,
    spent,
  };
}
