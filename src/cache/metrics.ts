// GET /metrics: what a monitor (Prometheus) records of the cache.
import { allProblems } from "../config/config.ts";
import type { Handler } from "../context.ts";
import { VERSION } from "../contract/cache.ts";
import { type CatalogMetrics, RUN_STATES } from "../contract/metrics.ts";
import { CONTENT_TYPE, exposition, type Gauge, type Labels, type Sample } from "../http/prometheus.ts";

/** One call of the catalog, which scans nothing; no operation of the bucket. */
export const getMetrics: Handler = async ({ request, config, catalog }) => {
  const { signing } = await config.keys();
  const gauges = [
    gauge("build_info", "The version of the program.", [{ labels: { version: VERSION }, value: 1 }]),
    gauge("config_problems", "Mistakes in the configuration.", [
      { value: (await allProblems(config)).length },
    ]),
    gauge(
      "signing_key_info",
      "The keys that sign, by name.",
      signing.map(({ name }) => ({ labels: { key: name }, value: 1 })),
    ),
    ...ofCatalog(await catalog((c) => c.metrics())),
  ];
  const body = new TextEncoder().encode(exposition(gauges, { cache: config.cacheName }));
  const headers = {
    "Content-Type": CONTENT_TYPE,
    "Cache-Control": "no-store",
    "Content-Length": `${body.byteLength}`,
  };
  return new Response(request.method === "HEAD" ? null : body, { headers });
};

function ofCatalog(metrics: CatalogMetrics): Gauge[] {
  const byCompression = Object.entries(metrics.byCompression);
  const amounts = (of: "paths" | "nar_size" | "file_size") =>
    byCompression.map(([compression, amount]) => ({ labels: { compression }, value: amount[of] }));
  return [
    gauge("paths", "Store paths, by the compression of their NARs.", amounts("paths")),
    gauge("unpacked_bytes", "Size of all paths, unpacked.", amounts("nar_size")),
    gauge(
      "compressed_bytes",
      "Size of all paths, compressed; a NAR that several share counts for each.",
      amounts("file_size"),
    ),
    gauge("nars", "Published NARs; paths of the same content may share one.", only(metrics.nars)),
    gauge("stored_bytes", "Size of the published NARs in the bucket.", only(metrics.storedSize)),
    gauge("statistics_exact", "1 if the numbers above are exact, 0 while they are counted again.", [
      { value: metrics.isExact ? 1 : 0 },
    ]),
    gauge(
      "statistics_timestamp_seconds",
      "When the numbers above were exact, in seconds since the epoch.",
      time(metrics.asOf),
    ),
    gauge("pins", "Pins, up to 10000.", only(metrics.pins)),
    gauge("uploads", "Uploads in parts that are under way, up to 1000.", only(metrics.uploads)),
    gauge(
      "verification_nars",
      "NARs by the state of their verification.",
      Object.entries(metrics.contents).map(([state, value]) => ({ labels: { state }, value })),
    ),
    gauge(
      "verification_oldest_queued_timestamp_seconds",
      "When the NAR was queued that has waited longest, in seconds since the epoch; absent if none waits.",
      time(metrics.oldestQueued),
    ),
    ...ofRuns(metrics.runs),
    gauge(
      "findings",
      "Problems that were found and not repaired, by run and kind.",
      metrics.findings.map(({ run, kind, count, repaired }) => sample({ run, kind }, count - repaired)),
    ),
    gauge(
      "findings_repaired",
      "Problems that were found and repaired, by run and kind.",
      metrics.findings.map(({ run, kind, repaired }) => sample({ run, kind }, repaired)),
    ),
    gauge("catalog_bytes", "Size of the catalog itself.", only(metrics.catalogSize)),
  ];
}

function ofRuns(runs: CatalogMetrics["runs"]): Gauge[] {
  return [
    gauge(
      "run_started_timestamp_seconds",
      "When the last run of each kind began, in seconds since the epoch.",
      runs.flatMap(({ kind, started }) => time(started, { run: kind })),
    ),
    gauge(
      "run_completed_timestamp_seconds",
      "When a run of each kind last reached its end, in seconds since the epoch.",
      runs.flatMap(({ kind, completed }) => time(completed, { run: kind })),
    ),
    gauge(
      "run_state",
      "The state of the last run of each kind: 1 for the state that it is in, 0 for the others.",
      runs.flatMap(({ kind, state }) =>
        RUN_STATES.map((each) => sample({ run: kind, state: each }, each === state ? 1 : 0)),
      ),
    ),
    gauge(
      "gc_removed_paths",
      "Paths that the last collection has deleted.",
      runs.flatMap(({ removed }) => only(removed?.paths)),
    ),
    gauge(
      "gc_removed_bytes",
      "Size of what the last collection has deleted; it leaves the bucket a grace period later.",
      runs.flatMap(({ removed }) => only(removed?.bytes)),
    ),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Gauge {
  return { name: `nix_cache_${name}`, help, samples };
}

function sample(labels: Labels, value: number): Sample {
  return { labels, value };
}

function only(value: number | undefined): Sample[] {
  return value === undefined ? [] : [{ value }];
}

/** Milliseconds as the seconds of Prometheus. */
function time(ms: number | undefined, labels: Labels = {}): Sample[] {
  return ms === undefined ? [] : [{ labels, value: ms / 1000 }];
}
