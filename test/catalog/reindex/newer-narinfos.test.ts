// Narinfos that this catalog cannot read and another Nix can, as other tools may put them into the bucket: a repair
// leaves them, and nothing goes that they may need.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { keys } from "../../support/cache.ts";
import { baseNameOf, hashOf } from "../../support/closure.ts";
import { beginRetention, collectAfter, daysLater } from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { check, inCatalog, namesOf, publishPath, reindex, rows } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const MONTH = { retention_days: 30 };
const BLAKE3 = `blake9:${"0".repeat(52)}`;

/** What a newer Nix may write; the rest of the narinfo is right. */
const NEWER: readonly [string, (text: string) => string][] = [
  ["an unknown hash algorithm", (text) => `${text}CA: fixed:r:${BLAKE3}\n`],
  ["an unknown method", (text) => `${text}CA: fixed:tree:sha256:${"0".repeat(52)}\n`],
  ["an unknown compression", (text) => text.replace(/^Compression: .*$/m, "Compression: zpaq")],
  ["an unknown form of signature", (text) => `${text}Sig: key-1:ml-dsa:AAAA\n`],
];

async function put(path: TestPath, change: (text: string) => string): Promise<void> {
  await env.BUCKET.put(path.narKey, path.nar);
  await env.BUCKET.put(path.key, change(path.text));
}

/** A library that has expired, and a path of another tool that refers to it. */
async function referring(change: (text: string) => string): Promise<TestPath[]> {
  const library = await testPath("library-1.0", "library");
  const app = await testPath("app-1.0", "app", { references: [baseNameOf(library)] });
  await publishPath(library);
  await put(app, change);
  return [library, app];
}

const keysOf = (paths: readonly TestPath[]) => paths.flatMap(({ key, narKey }) => [key, narKey]).sort();

describe.each(NEWER)("a narinfo with %s", (_, change) => {
  it("is told of by a check, and stays, with its NAR, where it repairs", async () => {
    const path = await testPath();
    await put(path, change);
    const later = daysLater(3, {});
    const report = await inCatalog((c) => check(c, { repair: true }), later);
    expect(namesOf(report)).toMatchObject({ "unreadable-narinfo": [hashOf(path)] });
    expect(report.findings["unreadable-narinfo"].repaired).toBe(0);
    await inCatalog((c) => sweepNars(c), daysLater(6, {}));
    expect(await keys()).toEqual(keysOf([path]));
  });

  it("keeps the row that its path has", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.put(path.key, change(path.text));
    expect(await inCatalog((c) => reindex(c))).toMatchObject({ removed: 0, unreadable: { count: 1 } });
    expect((await inCatalog(rows)).paths).toHaveLength(1);
  });

  it("keeps collections from taking what it refers to", async () => {
    const paths = await referring(change);
    const { stopped } = await beginRetention(MONTH);
    expect(stopped).toMatch(new RegExp(`^${hashOf(paths[1] as TestPath)}\\.narinfo in the bucket`));
    await collectAfter(100, MONTH, { force: true });
    await inCatalog((c) => sweepNars(c), daysLater(200, MONTH));
    expect(await keys()).toEqual(keysOf(paths));
  });
});

it("a narinfo that is wrong in another way, too, is damaged", async () => {
  const path = await testPath();
  await put(path, (text) => `${text.replace(/^NarSize: .*\n/m, "")}CA: fixed:r:${BLAKE3}\n`);
  const report = await inCatalog((c) => check(c, { repair: true }));
  expect(report.findings["unreadable-narinfo"].repaired).toBe(1);
});

describe("a narinfo of which not even the NAR can be made out", () => {
  it("keeps a repair from releasing what could be its NAR", async () => {
    const path = await testPath();
    await put(path, () => "");
    await env.BUCKET.put(path.key, new Uint8Array([0xfd, 0x37]), { httpMetadata: { contentEncoding: "xz" } });
    const report = await inCatalog((c) => check(c, { repair: true }), daysLater(3, {}));
    expect(report.findings["unreferenced-nar"]).toMatchObject({ count: 1, repaired: 0 });
    await inCatalog((c) => sweepNars(c), daysLater(6, {}));
    expect(await keys()).toEqual(keysOf([path]));
  });
});

it("a collection goes on when such a narinfo is gone and the bucket has been looked through", async () => {
  const [library, app] = (await referring((text) => `${text}CA: fixed:r:${BLAKE3}\n`)) as [
    TestPath,
    TestPath,
  ];
  expect((await beginRetention(MONTH)).stopped).toBeDefined();
  await env.BUCKET.delete(app.key);
  expect((await beginRetention(MONTH)).stopped).toBeUndefined();
  const { removed } = await collectAfter(100, MONTH, { force: true });
  expect(removed.paths).toBe(1);
  expect(await keys()).not.toContain(library.key);
});
