/** What the API tells of one path. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import type { PathDetail } from "../../src/contract/paths.ts";
import { OPEN } from "../support/cache.ts";
import { compressedPath, push, testPath } from "../support/store-paths.ts";
import { apiCache, ask, inCatalog, refusal } from "./api.ts";
import { APP, DEMO, LIB, narInfoOf, pushRealClosure, TREE } from "./real-closure.ts";

afterEach(() => reset());

describe("GET /api/v1/paths/{hash}", () => {
  it("tells everything about a path that Nix pushed", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    const { first_push, last_push, ...detail } = await ask<PathDetail>(cache, "GET", `/paths/${APP}`);
    expect(detail).toEqual({
      hash: APP,
      name: "demo-app-1.0",
      store_path: `/nix/store/${APP}-demo-app-1.0`,
      nar: "nar/0g1hik47b8g95nsjl078gzvfk2gx9adhgvhlvsnpczzhxqsb9773.nar.xz",
      compression: "xz",
      file_hash: "sha256:0g1hik47b8g95nsjl078gzvfk2gx9adhgvhlvsnpczzhxqsb9773",
      file_size: 268,
      nar_hash: "sha256:11hx99lg325wygx585wk5r3a1xczf282w7v79dmwvvhyyhxkc8zb",
      nar_size: 576,
      references: [`${APP}-demo-app-1.0`, `${LIB}-libdemo-1.0`],
      reference_count: 2,
      upstream_references: [],
      missing_references: [],
      referrers: [`${DEMO}-demo+plus_1.0-rc=1`],
      referrer_count: 1,
      more_referrers: false,
      closure: { paths: 2, nar_size: 576 + 464, file_size: 268 + 180, upstream: 0, missing: 0, more: false },
      signatures: [narInfoOf(APP).match(/^Sig: (.*)$/m)?.[1]],
      signers: ["test-cache-1"],
      deriver: "3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-demo-app-1.0.drv",
      ca: null,
      verification: { state: "verified" },
      pushed_by: "PUSH_TOKEN",
      incomplete: false,
      differing_builds: [],
      differing_realisations: [],
    });
    expect(Date.parse(first_push)).toBeGreaterThan(Date.now() - 60_000);
    expect(Date.parse(last_push)).toBeGreaterThanOrEqual(Date.parse(first_push));
  });

  it.each([
    [LIB, { closure: { paths: 1, nar_size: 464, file_size: 180, missing: 0 }, referrer_count: 1 }],
    [DEMO, { closure: { paths: 3, nar_size: 1216, file_size: 628, missing: 0 }, referrers: [] }],
    [TREE, { deriver: null, ca: "fixed:r:sha256:0hxlw37cyisn8s2r979dfa0azifrwfvk1769gl2i62cn3z3ad0q6" }],
  ])("counts the closure of %s", async (hash, expected) => {
    const cache = apiCache();
    await pushRealClosure(cache);
    expect(await ask(cache, "GET", `/paths/${hash}`)).toMatchObject(expected);
  });

  it.each([
    ["HASH-NAME", `${APP}-demo-app-1.0`],
    ["a store path", `/nix/store/${APP}-demo-app-1.0`],
    ["a store path behind no second slash", `nix/store/${APP}-demo-app-1.0`],
    ["a store path, encoded", encodeURIComponent(`/nix/store/${APP}-demo-app-1.0`)],
  ])("takes %s", async (_, named) => {
    const cache = apiCache();
    await pushRealClosure(cache);
    const { status, text } = await cache.get(`/api/v1/paths/${named}`);
    expect([status, JSON.parse(text)]).toMatchObject([200, { hash: APP }]);
  });

  it.each(["0", "/nix/store", `${APP}-`, `${APP}/x`, "%5c", "..%2f.."])(
    "says how it must be named: %s",
    async (named) => {
      const { status, text } = await apiCache().get(`/api/v1/paths/${named}`);
      expect([status, JSON.parse(text)]).toMatchObject([
        400,
        { detail: "the path parameter 'hash' must be a store path, HASH-NAME, or its 32 characters HASH" },
      ]);
    },
  );

  it("counts a path of the closure once, however many ways lead to it", async () => {
    const cache = apiCache();
    const base = await testPath("base-1");
    const left = await testPath("left-1", "left", { references: [base.info.storePath.baseName] });
    const right = await testPath("right-1", "right", { references: [base.info.storePath.baseName] });
    const references = [left, right].map(({ info }) => info.storePath.baseName);
    const top = await testPath("top-1", "top", { references });
    for (const path of [base, left, right, top]) await push(cache, path);

    const size = [base, left, right, top].reduce((sum, { nar }) => sum + nar.length, 0);
    expect(await ask(cache, "GET", `/paths/${top.info.storePath.hash}`)).toMatchObject({
      closure: { paths: 4, nar_size: size, file_size: size, missing: 0 },
    });
    expect(await ask(cache, "GET", `/paths/${base.info.storePath.hash}`)).toMatchObject({
      referrers: references.toSorted(),
      referrer_count: 2,
    });
  });

  it("does not run in circles, which an open cache may hold", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    await inCatalog(({ sql }) =>
      sql.exec(
        "UPDATE paths SET narinfo = replace(narinfo, 'References: ', ?) WHERE hash = ?",
        `References: ${DEMO}-demo+plus_1.0-rc=1 `,
        LIB,
      ),
    );
    expect(await ask(cache, "GET", `/paths/${LIB}`)).toMatchObject({
      closure: { paths: 3, nar_size: 1216, file_size: 628, missing: 0 },
    });
  });

  it("names the builds that were pushed later with another content", async () => {
    const cache = apiCache();
    const first = await testPath("fickle-1", "one build");
    const second = await testPath("fickle-1", "another build, longer");
    await push(cache, first);
    await push(cache, second);
    await push(cache, second);
    const detail = await ask<PathDetail>(cache, "GET", `/paths/${first.info.storePath.hash}`);
    expect(detail.nar_size).toBe(first.nar.length);
    expect(detail.differing_builds).toEqual([
      {
        nar_hash: expect.stringMatching(/^sha256:[0-9a-z]{52}$/),
        nar_size: second.nar.length,
        first_push: expect.any(String),
        last_push: expect.any(String),
        pushed_by: "PUSH_TOKEN",
      },
    ]);
  });

  it("says what is missing of a path that an open cache took", async () => {
    const cache = apiCache(OPEN);
    const away = await testPath("away-1");
    const middle = await testPath("middle-1", "middle", { references: [away.info.storePath.baseName] });
    const top = await testPath("top-1", "top", { references: [middle.info.storePath.baseName] });
    for (const path of [middle, top]) expect(await push(cache, path)).toMatchObject({ status: 201 });

    expect(await ask(cache, "GET", `/paths/${middle.info.storePath.hash}`)).toMatchObject({
      incomplete: true,
      missing_references: [away.info.storePath.baseName],
      closure: { paths: 1, missing: 1 },
    });
    expect(await ask(cache, "GET", `/paths/${top.info.storePath.hash}`)).toMatchObject({
      incomplete: false,
      missing_references: [],
      closure: { paths: 2, missing: 1 },
    });
  });

  it("names a thousand of many referrers and counts them all", async () => {
    const cache = apiCache();
    const base = await testPath("libc-1");
    const referrer = await compressedPath("referrer");
    await push(cache, base);
    await push(cache, referrer);
    await inCatalog(({ sql }) => {
      const hashes = Array.from({ length: 1500 }, (_, index) => String(index).padStart(32, "0"));
      for (const hash of hashes) {
        sql.exec(
          `INSERT INTO paths SELECT ?, name, nar, nar_hash, nar_size, file_hash, file_size, compression, deriver, ca,
             signers, narinfo, etag, incomplete, first_push, last_push, pushed_by, wanted FROM paths WHERE name = 'referrer'
             AND hash = ?`,
          hash,
          referrer.info.storePath.hash,
        );
        sql.exec("INSERT INTO refs VALUES (?, ?)", hash, base.info.storePath.hash);
      }
    });
    const detail = await ask<PathDetail>(cache, "GET", `/paths/${base.info.storePath.hash}`);
    expect(detail.referrer_count).toBe(1500);
    expect(detail.referrers).toHaveLength(1000);
    expect(detail.referrers[999]).toBe(`${"999".padStart(32, "0")}-referrer`);
  });

  it("knows no path that was never pushed", async () => {
    expect(await refusal(apiCache(), "GET", `/paths/${LIB}`, 404)).toContain(LIB);
  });
});
