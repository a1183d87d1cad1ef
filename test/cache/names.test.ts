/** From the path of a request to the key of an object: every spelling of a name, and what is no name. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { watch } from "../support/bucket.ts";
import { cacheWith, keys, store } from "../support/cache.ts";
import { BUILD_ID, DRV_HASH, HASH, METADATA, NAR_HASH, OBJECTS } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";

afterEach(reset);

const cache = cacheWith();
/** Base-32 has neither e, o, u nor t. */
const NOT_BASE_32 = "e".repeat(32);

describe("raw and percent-encoded spellings reach the same object", () => {
  test.each([
    [`${HASH}.narinfo`, [`/${HASH}.narinfo`, `/${HASH}%2Enarinfo`, `/%34${HASH.slice(1)}.narinfo`]],
    [
      `log/${HASH}-gtk+-3.drv`,
      [`/log/${HASH}-gtk+-3.drv`, `/log/${HASH}-gtk%2B-3.drv`, `/log/${HASH}%2Dgtk%2b%2D3.drv`],
    ],
    [
      `log/${HASH}-a=b_c.drv`,
      [`/log/${HASH}-a=b_c.drv`, `/log/${HASH}-a%3Db_c.drv`, `/log/${HASH}-a%3db%5Fc.drv`],
    ],
    [
      `log/${HASH}-what?.drv`,
      [`/log/${HASH}-what?.drv`, `/log/${HASH}-what%3F.drv`, `/log/${HASH}-what%3f.drv`],
    ],
    [
      `log/${HASH}-a?b=c+d.drv`,
      [`/log/${HASH}-a?b=c+d.drv`, `/log/${HASH}-a%3Fb%3Dc%2Bd.drv`, `/log/${HASH}-a?b%3Dc%2Bd.drv`],
    ],
    [`log/${HASH}-a?b?c.drv`, [`/log/${HASH}-a?b?c.drv`, `/log/${HASH}-a%3Fb?c.drv`]],
    [
      `realisations/sha256:${DRV_HASH}!out.doi`,
      [
        `/realisations/sha256:${DRV_HASH}!out.doi`,
        `/realisations/sha256:${DRV_HASH}%21out.doi`,
        `/realisations/sha256%3A${DRV_HASH}%21out.doi`,
      ],
    ],
    [
      `build-trace-v2/${HASH}-a?b+c.drv/out.doi`,
      [`/build-trace-v2/${HASH}-a?b+c.drv/out.doi`, `/build-trace-v2/${HASH}-a%3Fb%2Bc.drv/out.doi`],
    ],
    [
      `realisations/sha256:${DRV_HASH}!a?b.doi`,
      [`/realisations/sha256:${DRV_HASH}!a?b.doi`, `/realisations/sha256:${DRV_HASH}%21a%3Fb.doi`],
    ],
    ["nar/c++ 1.nar", ["/nar/c++%201.nar", "/nar/c%2B%2B%201.nar"]],
    ["nar/what?.nar", ["/nar/what%3F.nar", "/nar/what%3F.nar?ignored"]],
    [`debuginfo/${BUILD_ID}.debug`, [`/debuginfo/${BUILD_ID}.debug`, `/debuginfo/${BUILD_ID}`]],
  ])("%s", async (key, paths) => {
    await store(key, "it");
    for (const path of paths) {
      const [get, head] = [await cache.get(path), await cache.head(path)];
      expect([path, get.status, head.status, get.text]).toEqual([path, 200, 200, "it"]);
    }
  });

  test.each(OBJECTS)("of a $kind", async ({ key }) => {
    await store(key, "it");
    const encoded = key.replace(/[^/]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
    for (const path of [key, encoded]) expect((await cache.get(`/${path}`)).text).toBe("it");
  });

  test("a plus is never a space", async () => {
    await store("nar/a b.nar", "space");
    await store("nar/a+b.nar", "plus");
    expect((await cache.get("/nar/a+b.nar")).text).toBe("plus");
    expect((await cache.get("/nar/a%20b.nar")).text).toBe("space");
  });

  test("a PUT by one spelling is what the others get", async () => {
    const spellings = [`/log/${HASH}-a?b+c.drv`, `/log/${HASH}-a%3Fb%2Bc.drv`, `/log/${HASH}-a?b%2Bc.drv`];
    for (const written of spellings) {
      expect((await cache.put(written, `by ${written}`)).status).toBe(201);
      expect(await keys()).toEqual([`log/${HASH}-a?b+c.drv`]);
      for (const read of spellings) expect((await cache.get(read)).text).toBe(`by ${written}`);
    }
    await cache.put(`/debuginfo/${BUILD_ID}`, "{}");
    expect(await keys()).toContain(`debuginfo/${BUILD_ID}.debug`);
  });
});

describe("what other tools put under nar/ is served, whatever its name", () => {
  test.each([
    ["nar/x"],
    ["nar/demo-1.0.nar.lzma"],
    ["nar/ab/cd/deep.nar"],
    [`nar/${NAR_HASH}-${HASH}.nar.xz`],
    ["nar/~!@#$^&*()[]{}|;:',<>`.nar"],
    ["nar/100%.nar"],
    ["nar/a%2Fb.nar"],
    ["nar/..hidden"],
    [`nar/${"long".repeat(254)}`],
  ])("%s", async (key) => {
    await store(key, "it");
    const path = `/${key.split("/").map(encodeURIComponent).join("/")}`;
    expect((await cache.get(path)).text).toBe("it");
  });
});

describe("no name of an object: 404 without asking the bucket", () => {
  test.each([
    "/favicon.ico",
    "/robots.txt",
    "/nar",
    "/log",
    "/nix-cache-infos",
    "/nix-cache-info.txt",
    `/${HASH}`,
    `/${HASH}.nar`,
    `/${HASH}.narinfo.xz`,
    `/${HASH.slice(1)}.narinfo`,
    `/a${HASH}.narinfo`,
    `/${HASH.toUpperCase()}.narinfo`,
    `/${NOT_BASE_32}.narinfo`,
    `/${HASH}-demo.narinfo`,
    `/x/${HASH}.narinfo`,
    `/${NOT_BASE_32}.ls`,
    `/log/${HASH}`,
    `/log/${HASH}-.drv`,
    `/log/${HASH}-demo`,
    `/log/${HASH}-demo.drv.bz2`,
    `/log/${HASH}-a%20b.drv`,
    `/log/${HASH}-a!b.drv`,
    `/log/${HASH}-a/b.drv`,
    "/log/demo.drv",
    `/realisations/sha256:${DRV_HASH}.doi`,
    `/realisations/sha256:${DRV_HASH}!.doi`,
    `/realisations/sha256:${DRV_HASH.slice(1)}!out.doi`,
    `/realisations/sha256:${DRV_HASH.toUpperCase()}!out.doi`,
    `/realisations/sha1:${DRV_HASH}!out.doi`,
    `/realisations/${DRV_HASH}!out.doi`,
    `/build-trace-v2/${HASH}-demo.drv`,
    `/build-trace-v2/${HASH}-demo.drv/out`,
    `/build-trace-v2/${HASH}-demo.drv/a/out.doi`,
    `/build-trace-v2/demo.drv/out.doi`,
    `/build-trace-v3/${HASH}-demo.drv/out.doi`,
    `/debuginfo/${BUILD_ID.slice(1)}.debug`,
    `/debuginfo/${BUILD_ID.toUpperCase()}.debug`,
    `/debuginfo/${BUILD_ID}.debug.debug`,
    `/debuginfo/${BUILD_ID}.dbg`,
    "/wp-login.php",
    "/.env",
    "/.well-known/acme-challenge/x",
    ...METADATA.flatMap(({ key }) => [`/x/${key}`, `/${key}/x`, `/${key}~`, `/x${key}`]),
  ])("%s", async (path) => {
    const watched = watch(env.BUCKET);
    const watchedCache = cacheWith({ BUCKET: watched.bucket });
    expect(expectRefusal(await watchedCache.get(path), 404)).toMatch(/no such path/);
    expectRefusal(await watchedCache.put(path, "x"), 404);
    expect([watched.operations, watchedCache.catalog.calls]).toEqual([[], []]);
  });
});
