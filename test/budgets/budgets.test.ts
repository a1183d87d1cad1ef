/** Every operation costs no more than its budget, in a catalog of 100 paths and in one of 20,000. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { graphOf } from "../../bench/catalog-graph.ts";
import { fillCatalog, prepareCatalog } from "../../bench/catalog-rows.ts";
import { TOKEN_SECRET } from "../auth/wallet.ts";
import { ADMIN_TOKEN, cacheWith, keys, ORIGIN } from "../support/cache.ts";
import { configWith } from "../support/collecting.ts";
import { captureLog } from "../support/log.ts";
import { createIssuer } from "../support/oidc-issuer.ts";
import { inCatalog } from "../support/runs.ts";
import { createUpstream } from "../support/upstream.ts";
import type { Asked } from "./asked.ts";
import { BUDGETS, excess } from "./budgets.ts";
import { counting } from "./counting.ts";
import { OF_THE_API } from "./of-the-api.ts";
import { OF_THE_PAGES } from "./of-the-pages.ts";
import { STEPWISE } from "./of-the-platform.ts";
import { OF_THE_PROTOCOL, upstreamLibrary } from "./of-the-protocol.ts";

const SIZES = [100, 20_000];
const SETTINGS = { retention_days: 30 };
/** Paths of one transaction. */
const BATCH = 5_000;
/** The others of a long run are like these. */
const MAX_ALARMS = 12;

captureLog();

const upstream = await createUpstream();
const issuer = await createIssuer(inject("oidcServer"));
const rule = {
  ...{ issuer: issuer.url, audience: ORIGIN, claims: { repository: "acme/app" } },
  ...{ permissions: ["push"], caches: ["nix-cache"] },
};
const EXCHANGE: Asked = {
  ...{ operation: "exchange", status: 200 },
  request: async (on) => {
    const token = await issuer.token({ aud: ORIGIN, repository: "acme/app", sub: "repo:acme/app" });
    const headers = { Authorization: `Bearer ${token}` };
    return on.fetch("/api/v1/tokens/exchange", { method: "POST", headers });
  },
};

describe.each(SIZES)("in a catalog of %d paths", (size) => {
  const graph = graphOf(size);
  const variables = { ADMIN_TOKEN, TOKEN_SECRET, OIDC: [rule], CACHES: { "nix-cache": SETTINGS } };
  const counter = counting(env.BUCKET);
  const UPSTREAMS = [{ ...upstream.entry, serve: "mirror" }];
  const cache = cacheWith({ BUCKET: counter.bucket, ...variables, UPSTREAMS });
  beforeAll(async () => {
    await upstream.has([upstreamLibrary]);
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    await env.BUCKET.delete(await keys());
    const changes = { config: configWith(SETTINGS) };
    await inCatalog(prepareCatalog, changes);
    for (let from = 0; from < size; from += BATCH) {
      await inCatalog((c) => fillCatalog(c, graph, from, Math.min(from + BATCH, size)), changes);
    }
  }, 60_000);
  afterAll(() => reset());

  const within = async ({ operation, status, units = 0, prepare, request }: Asked) => {
    await prepare?.(cache, graph);
    // Of the pushes before, as their alarm does: those rows are in the budget of no other operation.
    await inCatalog(() => undefined);
    const { answer, cost } = await counter.counted(cache, () => request(cache, graph));
    expect([status].flat()).toContain(answer.status);
    expect(excess(operation, cost, units)).toEqual([]);
  };

  it.each(titled([...OF_THE_PROTOCOL, ...OF_THE_PAGES, ...OF_THE_API, EXCHANGE]))("%s", (_, asked) =>
    within(asked),
  );

  describe.each(titled(STEPWISE))("%s", (_, asked) => {
    it("is within its budget", () => within(asked));

    it("and so is each alarm after it", async () => {
      for (let alarm = 0; alarm < MAX_ALARMS && (await counter.isAlarmDue()); alarm++) {
        const { cost } = await counter.alarm(cache);
        expect(excess("alarm", cost)).toEqual([]);
      }
    }, 120_000);
  });
});

function titled(all: readonly Asked[]): [string, Asked][] {
  return all.map((asked) => [[asked.operation, asked.what ?? []].flat().join(": "), asked]);
}

it("every operation has one", () => {
  const asked = [...OF_THE_PROTOCOL, ...OF_THE_PAGES, ...OF_THE_API, ...STEPWISE, EXCHANGE].map(
    ({ operation }) => operation,
  );
  const counted = new Set<string>([...asked, "alarm", "firstRequest"]);
  expect(Object.keys(BUDGETS).filter((operation) => !counted.has(operation))).toEqual([]);
});
