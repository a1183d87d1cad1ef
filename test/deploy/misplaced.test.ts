/** Lines of nix-cache.toml below the wrong header: the message names the header and the place. */
import { expect, test } from "vitest";
import { settingsProblems } from "../../src/deploy/settings.ts";
import type { Table } from "../../src/deploy/table.ts";

const RULE = { issuer: "https://gitlab.com", audience: "https://cache.example.org" };
const ABOVE = "Move it above the first [table]";
const IN_VARS = "Move it directly below [vars]";
const ROUTES = [{ pattern: "cache.example.org", custom_domain: true }];

test.each<[string, Table, string]>([
  [
    "a domain",
    { vars: { routes: ROUTES } },
    `routes: is a setting of the deployment; below [vars] it belongs to that table. ${ABOVE}`,
  ],
  [
    "workers_dev",
    { vars: { workers_dev: true } },
    `workers_dev: is a setting of the deployment; below [vars] it belongs to that table. ${ABOVE}`,
  ],
  [
    "a table of the deployment",
    { vars: { triggers: { crons: [] } } },
    "triggers: is a setting of the deployment; below [vars] it belongs to that table. Its header is [triggers]",
  ],
  [
    "the bucket",
    { vars: { r2_buckets: [{ binding: "BUCKET" }] } },
    "r2_buckets: is a setting of the deployment; below [vars] it belongs to that table. Its header is [[r2_buckets]]",
  ],
  [
    "a domain after a rule",
    { vars: { OIDC: [{ ...RULE, routes: ROUTES }] } },
    `routes: is a setting of the deployment; below [[vars.OIDC]] it belongs to that table. ${ABOVE}`,
  ],
  [
    "a variable after a rule",
    { vars: { OIDC: [RULE, { ...RULE, PRIORITY: 30 }] } },
    `PRIORITY: is a variable; below [[vars.OIDC]] it belongs to that table. ${IN_VARS}`,
  ],
  [
    "a setting of a cache after a rule",
    { vars: { OIDC: [{ ...RULE, retention_days: 30 }] } },
    "retention_days: is a setting of a cache; below [[vars.OIDC]] it belongs to that table. Move it below [vars.CACHES.NAME]",
  ],
  [
    "a variable after a named cache",
    { vars: { CACHES: { team: { STORE_DIR: "/gnu/store" } } } },
    `STORE_DIR: is a variable; below [vars.CACHES.team] it belongs to that table. ${IN_VARS}`,
  ],
  [
    "one that could be a setting of that cache",
    { vars: { CACHES: { team: { PRIORITY: 30 } } } },
    `PRIORITY: is a variable; below [vars.CACHES.team] it belongs to that table. ${IN_VARS}, or write priority`,
  ],
  [
    "a variable beside the named caches",
    { vars: { CACHES: { team: {}, UPSTREAMS: [] } } },
    `UPSTREAMS: is a variable; below [vars.CACHES] it belongs to that table. ${IN_VARS}`,
  ],
  [
    "a name beside the named caches",
    { vars: { CACHES: { team: {}, name: "x" } } },
    `name: is a setting of the deployment; below [vars.CACHES] it belongs to that table. ${ABOVE}`,
  ],
  [
    "a variable after an upstream",
    { vars: { UPSTREAMS: [{ url: "https://other.example.org", PRIORITY: 30 }] } },
    `PRIORITY: is a variable; below [[vars.UPSTREAMS]] it belongs to that table. ${IN_VARS}`,
  ],
  [
    "a variable after an upstream of a cache",
    { vars: { CACHES: { team: { upstreams: [{ url: "/nix-cache", LISTING: "public" }] } } } },
    `LISTING: is a variable; below [[vars.CACHES.team.upstreams]] it belongs to that table. ${IN_VARS}`,
  ],
  [
    "a variable after the bucket",
    { r2_buckets: [{ binding: "BUCKET", PRIORITY: 30 }] },
    `PRIORITY: is a variable; below [[r2_buckets]] it belongs to that table. ${IN_VARS}`,
  ],
  [
    "a domain after the cron trigger",
    { triggers: { crons: [], routes: ROUTES } },
    `routes: is a setting of the deployment; below [triggers] it belongs to that table. ${ABOVE}`,
  ],
  [
    "a variable deep in a table",
    { observability: { logs: { PRIORITY: 30 } } },
    `PRIORITY: is a variable; below [observability.logs] it belongs to that table. ${IN_VARS}`,
  ],
  [
    "a secret after a rule",
    { vars: { OIDC: [{ ...RULE, ADMIN_TOKEN: "hunter2" }] } },
    "ADMIN_TOKEN: is a secret, which stands in no such file; set it by 'npm run wrangler -- secret put ADMIN_TOKEN', on this machine by a line in .dev.vars",
  ],
  [
    "a setting of a cache above all tables",
    { retention_days: 30 },
    "retention_days: is a setting of a cache, which belongs below [vars.CACHES.nix-cache]",
  ],
])("%s", (_, own, problem) => {
  expect(settingsProblems(own, {})).toEqual([problem]);
});

test.each<[string, Table]>([
  ["claims have any names", { vars: { OIDC: [{ ...RULE, claims: { name: "x", PRIORITY: "y" } }] } }],
  ["caches have any names", { vars: { CACHES: { limits: {}, routes: { priority: 30 } } } }],
  ["JSON text", { vars: { CACHES: '{"team": {"PRIORITY": 30}}', OIDC: "[]" } }],
  ["wrangler's own tables", { routes: ROUTES, observability: { enabled: true, logs: { enabled: true } } }],
])("no mistake: %s", (_, own) => {
  expect(settingsProblems(own, {})).toEqual([]);
});
