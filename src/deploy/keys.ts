// The keys of wrangler.toml that one's own settings may have; all others belong to the program and change with it.

export interface Key {
  /** Markdown, seen from docs/operating/. */
  readonly meaning: string;
  /** What holds without it: the value of wrangler.toml, unless this says otherwise. */
  readonly unset?: string;
  /** A table with this key, as in TOML. */
  readonly example: unknown;
}

export const KEYS: Readonly<Record<string, Key>> = {
  name: { meaning: "The name of the Worker.", example: "team-cache" },
  account_id: {
    meaning: "The account, where your login has several.",
    unset: "`CLOUDFLARE_ACCOUNT_ID`, or the only account",
    example: "0123456789abcdef0123456789abcdef",
  },
  routes: {
    meaning:
      "A domain of your own. Its zone must be in the account; the DNS record and the certificate are made by Cloudflare.",
    unset: "the Worker has its workers.dev address only",
    example: [{ pattern: "cache.example.org", custom_domain: true }],
  },
  workers_dev: {
    meaning: "Whether the Worker keeps its workers.dev address although it has `routes`.",
    unset: "`true` without `routes`, and `false` with them",
    example: true,
  },
  preview_urls: {
    meaning: "Whether each version of the Worker has an address of its own.",
    unset: "as `workers_dev`",
    example: false,
  },
  r2_buckets: {
    meaning:
      "The bucket. It is created at deploy if it is missing. Its jurisdiction, such as `eu`, is for ever; without one, leave that line out.",
    example: [{ binding: "BUCKET", bucket_name: "team-cache", jurisdiction: "eu" }],
  },
  analytics_engine_datasets: {
    meaning: "Counts each request that reaches the Worker ([monitoring](monitoring.md)).",
    unset: "requests are not counted",
    example: [{ binding: "TRAFFIC", dataset: "nix_cache_traffic" }],
  },
  triggers: {
    meaning: "When a collection begins (UTC). Without `retention_days` and `max_size_gb` it does nothing.",
    example: { crons: ["23 3 * * *"] },
  },
  placement: {
    meaning: 'Where the Worker runs. With `mode = "smart"` Cloudflare chooses a place near the bucket.',
    unset: "near the client",
    example: { mode: "smart" },
  },
  limits: {
    meaning: "The CPU time that one request may use, on the paid plan.",
    unset: "30 seconds",
    example: { cpu_ms: 60_000 },
  },
  observability: {
    meaning: "What Cloudflare keeps of the log.",
    example: { enabled: true, logs: { invocation_logs: true } },
  },
  logpush: { meaning: "Whether the log goes to Logpush.", unset: "`false`", example: true },
  tail_consumers: {
    meaning: "Workers that receive the log.",
    unset: "none",
    example: [{ service: "my-log" }],
  },
  vars: { meaning: "The [variables](#variables).", unset: "none", example: { PRIORITY: 30 } },
};
