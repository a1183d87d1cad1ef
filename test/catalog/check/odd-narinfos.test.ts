/** Narinfos in the bucket that this cache would refuse to take and that Nix reads: known, and kept by repairs. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { pathDetail } from "../../../src/catalog/ask/detail.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { parseConfig } from "../../../src/config/config.ts";
import { generateSecretKey } from "../../../src/nix/keys.ts";
import { cacheWith, keys } from "../../support/cache.ts";
import { baseNameOf, hashOf } from "../../support/closure.ts";
import { daysLater } from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { check, inCatalog, namesOf, reindex, resign, rows } from "../../support/runs.ts";
import { bytesOf, push, type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

type Change = (text: string) => string;

const withUrl =
  (make: (url: string) => string): Change =>
  (text) =>
    text.replace(/^URL: (.*)$/m, (_, url) => `URL: ${make(url)}`);

/** Their NAR is in the bucket. */
const HERE: readonly [string, Change][] = [
  ["a URL that begins with a slash", withUrl((url) => `/${url}`)],
  ["the address of this bucket as URL", withUrl((url) => `https://bucket.example.org/x/${url}`)],
  ["a size with a plus sign", (text) => text.replace("NarSize: ", "NarSize: +")],
  ["a tab behind the colon", (text) => text.replace("NarSize: ", "NarSize:\t")],
  ["a tab behind every colon", (text) => text.replaceAll(": ", ":\t")],
  ["SRI without padding", (text) => text.replace(/^(NarHash): .*$/m, "$1: sha256-$2")],
  ["a field with a control character", (text) => `${text}Note: \u0007\n`],
];

const SIZE: Change = (text) => text.replace(/^NarSize: .*$/m, "NarSize: 18446744073709551615");

async function put(path: TestPath, change: Change, withNar = true): Promise<void> {
  if (withNar) await env.BUCKET.put(path.narKey, path.nar);
  const padded = path.info.narHash.bytes.toBase64().replace("=", "");
  await env.BUCKET.put(path.key, change(path.text).replace("$2", padded));
}

/** What a bucket has long after a repair and the deletions that it began. */
async function keysAfterRepairs(): Promise<string[]> {
  await inCatalog((c) => check(c, { repair: true }), daysLater(3, {}));
  await inCatalog((c) => check(c, { repair: true }), daysLater(6, {}));
  await inCatalog((c) => sweepNars(c), daysLater(9, {}));
  return keys();
}

describe.each([...HERE, ["a size of 64 bits", SIZE] as const])("a narinfo with %s", (_, change) => {
  it("is taken into the catalog by a reindex", async () => {
    const path = await testPath();
    await put(path, change);
    expect(await inCatalog((c) => reindex(c))).toMatchObject({ indexed: 1, unreadable: { count: 0 } });
    expect((await inCatalog(rows)).paths).toMatchObject([{ hash: hashOf(path), nar: path.narKey }]);
    expect(await inCatalog((c) => pathDetail(c, hashOf(path)))).toMatchObject({ hash: hashOf(path) });
  });

  it("stays, with its NAR, where a check repairs", async () => {
    const path = await testPath();
    await put(path, change);
    expect(await keysAfterRepairs()).toEqual([path.key, path.narKey].sort());
  });

  it("is served as it is", async () => {
    const path = await testPath();
    await put(path, change);
    await inCatalog((c) => reindex(c));
    const stored = await env.BUCKET.get(path.key);
    expect((await cacheWith().get(`/${path.key}`)).text).toBe(await stored?.text());
  });
});

describe.each(HERE)("a narinfo with %s", (_, change) => {
  it("is not pushed again, and gets a signature in Nix's form", async () => {
    const path = await testPath();
    await put(path, change);
    await inCatalog((c) => reindex(c));
    const { secret } = await generateSecretKey("ours-1");
    expect((await push(cacheWith({ SIGNING_KEY: secret }), path)).status).toBe(200);
    const { text } = await cacheWith().get(`/${path.key}`);
    expect(text).toMatch(/^NarSize: \d+$/m);
    expect(text).toMatch(/^Sig: ours-1:/m);
  });
});

describe("a narinfo whose URL is another place", () => {
  const URLS = [
    "https://cdn.example.org/a/b",
    "https://other.example.org/nar/a.nar.xz",
    "a.nar.xz",
    "../nar/a",
  ];

  it.each(URLS)("is told of by a check, stays where it repairs, and names the place: %s", async (url) => {
    const path = await testPath();
    await put(
      path,
      withUrl(() => url),
      false,
    );
    await inCatalog((c) => reindex(c));
    const report = await inCatalog((c) => check(c, { repair: true }));
    expect(namesOf(report)).toEqual({ "foreign-nar": [baseNameOf(path)] });
    expect(report.findings["foreign-nar"].first[0]?.detail).toContain(url);
    expect(await keysAfterRepairs()).toEqual([path.key]);
    expect(await inCatalog((c) => pathDetail(c, hashOf(path)))).toMatchObject({ nar: url });
  });

  it("is told of where the catalog does not know it, too", async () => {
    const path = await testPath();
    await put(
      path,
      withUrl(() => "https://cdn.example.org/a/b"),
      false,
    );
    const report = await inCatalog((c) => check(c));
    expect(namesOf(report)).toEqual({
      "foreign-nar": [baseNameOf(path)],
      "unindexed-narinfo": [baseNameOf(path)],
    });
  });

  it("is not signed: what is there has not been seen here", async () => {
    const path = await testPath();
    await put(
      path,
      withUrl(() => "https://cdn.example.org/a/b"),
      false,
    );
    const { secret } = await generateSecretKey("ours-1");
    await inCatalog((c) => reindex(c));
    const config = parseConfig({ BUCKET: env.BUCKET, CATALOG: env.CATALOG, SIGNING_KEY: secret });
    expect(await inCatalog((c) => resign(c), { config })).toMatchObject({ paths: 1, resigned: 0 });
    expect(await (await env.BUCKET.get(path.key))?.text()).not.toContain("Sig:");
  });

  it("is replaced by a push, which brings the NAR", async () => {
    const path = await testPath();
    await put(
      path,
      withUrl(() => "https://cdn.example.org/a/b"),
      false,
    );
    await inCatalog((c) => reindex(c));
    const cache = cacheWith();
    await cache.put(`/${path.narKey}`, path.nar);
    expect((await push(cache, path)).status).toBe(200);
    expect((await cache.get(`/${path.key}`)).text).toContain(`URL: ${path.narKey}\n`);
    expect(namesOf(await inCatalog((c) => check(c)))).toEqual({});
  });
});

it("a narinfo that is not UTF-8 where Nix does not look stays", async () => {
  const path = await testPath();
  await env.BUCKET.put(path.narKey, path.nar);
  await env.BUCKET.put(path.key, new Uint8Array([...bytesOf(`${path.text}Note: `), 0xff, 0x0a]));
  expect(await keysAfterRepairs()).toEqual([path.key, path.narKey].sort());
});

it("one that no Nix reads goes", async () => {
  const path = await testPath();
  await put(path, (text) => text.replace("NarSize: ", "NarSize: -"));
  expect(await keysAfterRepairs()).toEqual([]);
});
