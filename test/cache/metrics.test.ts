/** What a monitor gets: every number, from what is kept, for members only. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { metricsOf } from "../../src/catalog/health/metrics.ts";
import { metered } from "../../src/catalog/meter.ts";
import { note } from "../../src/catalog/rows/findings.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { apiCache, inCatalog } from "../api/api.ts";
import { pushRealClosure } from "../api/real-closure.ts";
import FIXTURE from "../fixtures/metrics.txt?raw";
import { basic, PULL_TOKEN, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { push, testPath } from "../support/store-paths.ts";
import { begin, largeNar } from "../support/upload.ts";

captureLog();
afterEach(() => reset());

const { secret: SIGNING_KEY } = await generateSecretKey("metrics-1");
const MEMBER = { Authorization: `Bearer ${PUSH_TOKEN}` };

async function scrape(cache: TestCache, path = "/metrics"): Promise<string> {
  const { status, text } = await cache.get(path, MEMBER);
  expect([status, text]).toEqual([200, expect.stringMatching(/\n$/)]);
  return text;
}

/** The sample of a name and labels, as they are written. */
function numberOf(text: string, sample: string): number | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length));
}

/** Without what is another number each time. */
function shape(text: string): string {
  return text
    .replace(/^(\w+_timestamp_seconds\{.*\}) [\d.e+]+$/gm, "$1 TIME")
    .replace(/^(nix_cache_catalog_bytes\{.*\}) \d+$/gm, "$1 BYTES")
    .replace(/version="[^"]+"/, "VERSION");
}

async function runs(cache: TestCache, ...names: string[]): Promise<void> {
  for (const name of names) {
    const headers = { Authorization: "Bearer admin-token-for-tests" };
    const { status } = await cache.fetch(`/api/v1/${name}`, { method: "POST", headers, body: "{}" });
    expect([name, status]).toEqual([name, 200]);
  }
}

describe("GET /metrics", () => {
  it("has everything that a cache can tell, as in the example that promtool reads", async () => {
    const cache = apiCache({ SIGNING_KEY, CACHES: { "nix-cache": { retention_days: 30 } } });
    await pushRealClosure(cache);
    const plain = await testPath("plain-1", "some text");
    await push(cache, plain);
    const pin = JSON.stringify({ store_path: `/nix/store/${plain.info.storePath.baseName}` });
    await cache.put("/api/v1/pins/web", pin);
    await begin(cache, (await largeNar()).key);
    await runs(cache, "reindex", "gc", "resign");
    await env.BUCKET.delete(plain.narKey);
    await runs(cache, "check");
    await inCatalog(({ sql }) => void sql.exec("UPDATE nars SET queued = 1000 WHERE key = ?", plain.narKey));
    const text = await scrape(cache);
    expect(shape(text)).toBe(shape(FIXTURE));
    const now = Date.now() / 1000;
    for (const run of ["reindex", "gc", "resign", "check"]) {
      const completed = numberOf(
        text,
        `nix_cache_run_completed_timestamp_seconds{cache="nix-cache",run="${run}"}`,
      );
      expect(completed).toBeGreaterThan(now - 60);
      expect(completed).toBeLessThanOrEqual(now + 1);
    }
    const queued = 'nix_cache_verification_oldest_queued_timestamp_seconds{cache="nix-cache"}';
    expect(numberOf(text, queued)).toBe(1);
  });

  it("of an empty cache, has no numbers of what there is not", async () => {
    const text = await scrape(apiCache());
    expect(numberOf(text, 'nix_cache_nars{cache="nix-cache"}')).toBe(0);
    expect(numberOf(text, 'nix_cache_pins{cache="nix-cache"}')).toBe(0);
    for (const absent of ["signing_key_info", "run_state", "findings", "oldest_queued"]) {
      expect(text).not.toContain(absent);
    }
  });

  it("counts pins as they come and go", async () => {
    const cache = apiCache();
    const path = await testPath();
    await push(cache, path);
    const pins = async () => numberOf(await scrape(cache), 'nix_cache_pins{cache="nix-cache"}');
    const body = JSON.stringify({ store_path: `/nix/store/${path.info.storePath.baseName}` });
    expect(await pins()).toBe(0);
    await cache.put("/api/v1/pins/one", body);
    expect(await pins()).toBe(1);
    await cache.put("/api/v1/pins/two", body);
    await cache.put("/api/v1/pins/two", body);
    expect(await pins()).toBe(2);
    await cache.fetch("/api/v1/pins/one", { method: "DELETE", headers: MEMBER });
    expect(await pins()).toBe(1);
  });

  it("tells of a collection that has stopped, and of a run whose step fails", async () => {
    const cache = apiCache();
    await runs(cache, "gc", "check");
    await inCatalog(({ sql }) => {
      sql.exec("UPDATE runs SET state = json_set(state, '$.state.stopped', 'x') WHERE kind = 'gc'");
      sql.exec(
        "UPDATE runs SET finished = NULL, state = json_set(state, '$.problem', 'x') WHERE kind = 'check'",
      );
    });
    const text = await scrape(cache);
    const state = (run: string) =>
      ["running", "failing", "stopped", "done"].filter(
        (each) => numberOf(text, `nix_cache_run_state{cache="nix-cache",run="${run}",state="${each}"}`) === 1,
      );
    expect([state("gc"), state("check")]).toEqual([["stopped"], ["failing"]]);
  });

  it("counts findings that are repaired apart from the others", async () => {
    await inCatalog((c) => {
      note(c, "check", "missing-nar", "a", "gone");
      note(c, "check", "missing-nar", "b", "gone", true);
      note(c, "verify", "false-narinfo", "c", "wrong", true);
    });
    const text = await scrape(apiCache());
    const labels = 'cache="nix-cache",run="check",kind="missing-nar"';
    expect(numberOf(text, `nix_cache_findings{${labels}}`)).toBe(1);
    expect(numberOf(text, `nix_cache_findings_repaired{${labels}}`)).toBe(1);
    expect(numberOf(text, 'nix_cache_findings{cache="nix-cache",run="verify",kind="false-narinfo"}')).toBe(0);
  });

  it("counts mistakes in the configuration", async () => {
    const text = await scrape(apiCache({ PRIORITY: "low", STORE_DIR: "x" }));
    expect(numberOf(text, 'nix_cache_config_problems{cache="nix-cache"}')).toBe(2);
  });

  it("is for those who may list, as Prometheus sends a credential", async () => {
    const cache = apiCache({
      CACHES: { team: {}, open: { listing: "public" }, hidden: { visibility: "private" } },
    });
    const status = async (path: string, headers = {}) => (await cache.get(path, headers)).status;
    expect(await status("/metrics")).toBe(401);
    expect(await status("/metrics", MEMBER)).toBe(200);
    expect(await status("/metrics", { Authorization: basic("prometheus", PUSH_TOKEN) })).toBe(200);
    expect(await status("/team/metrics", MEMBER)).toBe(403);
    expect(await status("/open/metrics")).toBe(200);
    expect(await status("/hidden/metrics")).toBe(401);
    expect(await status("/hidden/metrics", MEMBER)).toBe(401);
    const reader = { Authorization: `Bearer ${PULL_TOKEN}` };
    expect((await apiCache({ PULL_TOKEN }).get("/metrics", reader)).status).toBe(200);
  });

  it("of a named cache, names it; HEAD has the same headers", async () => {
    const cache = apiCache({ CACHES: { open: { listing: "public" } } });
    const { text, headers } = await cache.get("/open/metrics");
    expect(text).toMatch(/^nix_cache_build_info\{cache="open",version="[\d.]+"\} 1$/m);
    const head = await cache.head("/open/metrics");
    expect([head.status, head.text]).toEqual([200, ""]);
    for (const name of ["Content-Type", "Cache-Control"]) {
      expect(head.headers.get(name)).toBe(headers.get(name));
    }
    // The time of the figures has up to three decimals.
    const lengths = [head.headers, headers].map((each) => Number(each.get("Content-Length")));
    expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThan(5);
    expect(headers.get("Content-Type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(headers.get("Cache-Control")).toBe("no-store");
  });

  it("does not name the cache of a token that may not read it", async () => {
    expect((await apiCache().get("/nothing/metrics", MEMBER)).text).not.toContain("nix_cache_");
  });
});

it("counts pins up to 10,000, and reads them once", async () => {
  await inCatalog(({ sql }) => {
    sql.exec(
      `INSERT INTO pins (name, keep_revisions, keep_days, etag, is_written)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
       SELECT 'pin-' || i, NULL, NULL, NULL, 1 FROM n`,
    );
  });
  const reading = () =>
    inCatalog((c) => {
      const { context, spent } = metered(c);
      const { pins } = metricsOf(context);
      return { pins, rows: spent().rows_read };
    });
  expect(await reading()).toEqual({ pins: 10_000, rows: expect.any(Number) });
  const again = await reading();
  expect(again.pins).toBe(10_000);
  expect(again.rows).toBeLessThan(50);
});
