/** Reindexes, checks and resigns by the API: begun by a POST, told of by a GET. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import type { CheckReport } from "../../src/contract/runs.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { ADMIN_TOKEN, type TestCache } from "../support/cache.ts";
import { apiCache, ask, inCatalog, refusal } from "./api.ts";
import { DEMO, narInfoOf, pushRealClosure } from "./real-closure.ts";

afterEach(() => reset());

const ADMIN = { token: ADMIN_TOKEN };

interface Report {
  readonly done: boolean;
  readonly started: string;
  readonly finished?: string;
  readonly repair?: boolean;
}

/** What the runs do is tested in test/catalog; here, that the API asks for the right thing and tells of it. */
describe.each(["reindex", "check"])("/api/v1/%s", (name) => {
  it("tells of a run only when there is one", async () => {
    const cache = apiCache();
    expect(await refusal(cache, "GET", `/${name}`, 404, ADMIN)).toBe(
      `no ${name} has been asked for yet; begin one with POST /api/v1/${name}`,
    );
    const begun = await ask<Report>(cache, "POST", `/${name}`, ADMIN);
    expect(begun).toMatchObject({ kind: name });
    expect(await ask<Report>(cache, "GET", `/${name}`, ADMIN)).toMatchObject({ started: begun.started });
  });

  it("goes on with every POST until it is done", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    let report = await ask<Report>(cache, "POST", `/${name}`, ADMIN);
    const { started } = report;
    for (let step = 1; !report.done && step < 20; step++) {
      expect(report.started).toBe(started);
      expect(report).not.toHaveProperty("finished");
      report = await ask<Report>(cache, "POST", `/${name}`, ADMIN);
    }
    expect(report).toMatchObject({ done: true, started, narinfos: 4, nars: 4 });
    expect(Date.parse(report.finished ?? "")).toBeGreaterThanOrEqual(Date.parse(started));
  });

  it("begins again on demand", async () => {
    const cache = apiCache();
    await ask(cache, "POST", `/${name}`, ADMIN);
    await inCatalog(({ sql }) => sql.exec("UPDATE runs SET started = 1000, finished = NULL"));
    const goesOn = await ask<Report>(cache, "POST", `/${name}`, { ...ADMIN, body: { restart: false } });
    expect(goesOn.started).toBe("1970-01-01T00:00:01.000Z");
    await inCatalog(({ sql }) => sql.exec("UPDATE runs SET started = 1000, finished = NULL"));
    const again = await ask<Report>(cache, "POST", `/${name}`, { ...ADMIN, body: { restart: true } });
    expect(Date.parse(again.started)).toBeGreaterThan(1000);
  });

  it.each([
    ["", { restart: "yes" }, "restart: must be true or false"],
    ["", { restart: null }, "restart: must be true or false"],
    ["", { force: true }, "unknown property 'force': the body takes "],
    ["?restart=true", {}, "unknown parameter 'restart': this takes none"],
  ])("refuses '%s' with %j and begins nothing", async (query, body, detail) => {
    const cache = apiCache();
    const request = { ...ADMIN, body };
    expect(await refusal(cache, "POST", `/${name}${query}`, 400, request)).toContain(detail);
    await refusal(cache, "GET", `/${name}`, 404, ADMIN);
  });
});

describe("POST /api/v1/check", () => {
  it("names what it has found", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    const nar = narInfoOf(DEMO).match(/^URL: (.*)$/m)?.[1] ?? "";
    await env.BUCKET.delete(nar);
    await env.BUCKET.put(`${"0".repeat(32)}.narinfo`, "nonsense");
    let report = await ask<CheckReport>(cache, "POST", "/check", ADMIN);
    for (let step = 1; !report.done && step < 20; step++) report = await ask(cache, "POST", "/check", ADMIN);
    expect(report).toMatchObject({
      done: true,
      clean: false,
      findings: {
        "missing-nar": {
          count: 1,
          repaired: 0,
          first: [{ name: expect.stringContaining(DEMO), repaired: false }],
        },
        "unreadable-narinfo": { count: 1 },
        "damaged-nar": { count: 0, repaired: 0, first: [] },
      },
    });
  });

  it("repairs only on demand, and goes on with what is under way when it is not told", async () => {
    const cache = apiCache();
    expect(await ask<Report>(cache, "POST", "/check", ADMIN)).toMatchObject({ repair: false });
    expect(await ask<Report>(cache, "POST", "/check", { ...ADMIN, body: { repair: true } })).toMatchObject({
      repair: true,
    });
    await inCatalog(({ sql }) => sql.exec("UPDATE runs SET finished = NULL"));
    expect(await ask<Report>(cache, "POST", "/check", ADMIN)).toMatchObject({ repair: true });
    expect(await ask<Report>(cache, "POST", "/check", { ...ADMIN, body: { repair: false } })).toMatchObject({
      repair: false,
    });
  });
});

describe("POST /api/v1/reindex", () => {
  it("knows nothing of repairing", async () => {
    expect(await refusal(apiCache(), "POST", "/reindex", 400, { ...ADMIN, body: { repair: true } })).toBe(
      "unknown property 'repair': the body takes restart",
    );
  });
});

describe("/api/v1/resign", () => {
  const signersOf = async (cache: TestCache) =>
    (await ask<{ signers: string[] }>(cache, "GET", `/paths/${DEMO}`)).signers;

  it("signs what is here with the key of now, and drops the signatures of another", async () => {
    const [old, fresh] = [await generateSecretKey("old-1"), await generateSecretKey("new-1")];
    await pushRealClosure(apiCache({ SIGNING_KEY: old.secret }));
    const cache = apiCache({ SIGNING_KEY: fresh.secret });
    const before = await signersOf(cache);
    expect(before).toContain("old-1");
    let report = await ask<Report>(cache, "POST", "/resign", ADMIN);
    for (let step = 1; !report.done && step < 20; step++) report = await ask(cache, "POST", "/resign", ADMIN);
    expect(report).toMatchObject({ paths: 4, resigned: 4, drop: null, keys: ["new-1"] });
    expect(await signersOf(cache)).toEqual([...before, "new-1"]);
    expect(await ask(cache, "GET", "/resign", ADMIN)).toEqual(report);
    const dropped = await ask<Report>(cache, "POST", "/resign", { ...ADMIN, body: { drop: "old-1" } });
    expect(dropped).toMatchObject({ done: true, resigned: 4, drop: "old-1" });
    expect(await signersOf(cache)).toEqual([...before.filter((name) => name !== "old-1"), "new-1"]);
  });

  it("tells of a run only when there is one, and begins none that has nothing to do", async () => {
    expect(await refusal(apiCache(), "GET", "/resign", 404, ADMIN)).toContain("no resign has been asked for");
    expect(await refusal(apiCache(), "POST", "/resign", 409, ADMIN)).toContain("no key signs for this cache");
    for (const drop of ["a:b", ""]) {
      expect(await refusal(apiCache(), "POST", "/resign", 400, { ...ADMIN, body: { drop } })).toBe(
        "drop: must name a key",
      );
    }
  });
});
