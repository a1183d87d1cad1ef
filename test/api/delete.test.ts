/** DELETE of a path by the API: what goes, what stays, and what is told. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { ADMIN_TOKEN, keys } from "../support/cache.ts";
import { apiCache, ask, refusal } from "./api.ts";
import { APP, DEMO, LIB, pushRealClosure, TREE } from "./real-closure.ts";

afterEach(() => reset());

const ADMIN = { token: ADMIN_TOKEN };
const NAMES = {
  lib: `${LIB}-libdemo-1.0`,
  app: `${APP}-demo-app-1.0`,
  demo: `${DEMO}-demo+plus_1.0-rc=1`,
  tree: `${TREE}-vectree`,
};

describe("DELETE /api/v1/paths/{hash}", () => {
  it("takes a path away at once, and leaves its NAR for a while", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    const before = await keys();
    expect(await ask(cache, "DELETE", `/paths/${DEMO}`, ADMIN)).toEqual({ deleted: [NAMES.demo] });
    expect(await cache.get(`/${DEMO}.narinfo`)).toMatchObject({ status: 404 });
    expect(await keys()).toEqual(before.filter((key) => key !== `${DEMO}.narinfo`));
    expect(await ask(cache, "POST", "/missing", { body: { paths: [DEMO, APP] } })).toEqual({
      missing: [DEMO],
    });
    await refusal(cache, "GET", `/paths/${DEMO}`, 404);
    await refusal(cache, "DELETE", `/paths/${DEMO}`, 404, ADMIN);
  });

  it("lets a path go that refers to itself only", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    await ask(cache, "DELETE", `/paths/${DEMO}`, ADMIN);
    expect(await ask(cache, "DELETE", `/paths/${APP}`, ADMIN)).toEqual({ deleted: [NAMES.app] });
  });

  it("names the referrers and changes nothing", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    const before = await keys();
    expect(await refusal(cache, "DELETE", `/paths/${APP}`, 409, ADMIN)).toBe(
      `${NAMES.app} is referred to by ${NAMES.demo}; delete those first, or all with ?closure=referrers`,
    );
    expect(await keys()).toEqual(before);
  });

  it("takes the referrers along on demand, those first that nothing refers to", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    expect(await ask(cache, "DELETE", `/paths/${LIB}?closure=referrers`, ADMIN)).toEqual({
      deleted: [NAMES.demo, NAMES.app, NAMES.lib],
    });
    const left = (await keys()).filter((key) => key.endsWith(".narinfo"));
    expect(left).toEqual([`${TREE}.narinfo`]);
  });

  it("takes the NARs along with now=true, and says what stays", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    const before = await keys();
    const answer = await ask<{ removed_nars: string[] }>(
      cache,
      "DELETE",
      `/paths/${APP}?closure=referrers&now=true`,
      ADMIN,
    );
    expect(answer).toMatchObject({ deleted: [NAMES.demo, NAMES.app], kept_nars: [] });
    const gone = [`${APP}.narinfo`, `${DEMO}.narinfo`, ...answer.removed_nars];
    expect(answer.removed_nars).toHaveLength(2);
    expect(await keys()).toEqual(before.filter((key) => !gone.includes(key)));
    for (const nar of answer.removed_nars) expect((await cache.get(`/${nar}`)).status).toBe(404);
    expect(cache.catalog.purged).toEqual(expect.arrayContaining(gone.map((key) => `/${key}`)));
  });

  it("deletes what only the bucket knows, as a path that another tool brought", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    const text = await (await env.BUCKET.get(`${TREE}.narinfo`))?.text();
    await ask(cache, "DELETE", `/paths/${TREE}`, ADMIN);
    await env.BUCKET.put(`${TREE}.narinfo`, text ?? "");
    expect(await ask(cache, "DELETE", `/paths/${TREE}`, ADMIN)).toEqual({ deleted: [NAMES.tree] });
  });

  it.each([
    ["closure=references", "parameter 'closure' must be referrers"],
    ["closure=", "parameter 'closure' must be referrers"],
    ["force=true", "unknown parameter 'force': this takes closure, now"],
    ["now=1", "parameter 'now' must be true"],
  ])("refuses ?%s and deletes nothing", async (query, detail) => {
    const cache = apiCache();
    await pushRealClosure(cache);
    const before = await keys();
    expect(await refusal(cache, "DELETE", `/paths/${TREE}?${query}`, 400, ADMIN)).toBe(detail);
    expect(await keys()).toEqual(before);
  });
});
