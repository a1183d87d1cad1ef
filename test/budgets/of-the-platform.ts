/** Stepwise work: what begins it, and its alarms, which budgets.test.ts lets go off. */
import { createExecutionContext } from "cloudflare:test";
import { hashOf } from "../../bench/catalog-graph.ts";
import NixCache from "../../src/index.ts";
import type { TestCache } from "../support/cache.ts";
import { type Asked, api, asAdmin } from "./asked.ts";

async function cron(on: TestCache): Promise<{ status: number }> {
  const worker = Object.assign(Object.create(NixCache.prototype), {
    env: on.environment,
    ctx: createExecutionContext(),
  }) as NixCache;
  await worker.scheduled();
  return { status: 200 };
}

/** In this order, because the reindex finds an empty bucket: none of the paths has an object. */
export const STEPWISE: readonly Asked[] = [
  { operation: "run", what: "gc", status: 200, request: api("POST", "/gc", asAdmin) },
  { operation: "cron", status: 200, units: 1, request: cron },
  { operation: "runStatus", what: "gc", status: 200, request: api("GET", "/gc", asAdmin) },
  { operation: "run", what: "check", status: 200, request: api("POST", "/check", asAdmin) },
  { operation: "runStatus", what: "check", status: 200, request: api("GET", "/check", asAdmin) },
  {
    ...{ operation: "deleteReferrers", status: [200, 202] },
    request: api("DELETE", ({ wide }) => `/paths/${hashOf(wide)}?closure=referrers`, asAdmin),
  },
  {
    ...{ operation: "run", what: "gc of what upstreams have", status: 200 },
    request: api("POST", "/gc", asAdmin, { upstreams: true }),
  },
  { operation: "run", what: "reindex", status: 200, request: api("POST", "/reindex", asAdmin) },
  { operation: "runStatus", what: "reindex", status: 200, request: api("GET", "/reindex", asAdmin) },
];
