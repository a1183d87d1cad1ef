/** Publications of paths that are here already: what is added, what stays, and what is healed. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { MAX_SIGNATURES } from "../../../src/catalog/publish/signatures.ts";
import { formatHash } from "../../../src/nix/hash.ts";
import { parseSecretKey } from "../../../src/nix/keys.ts";
import { otherBuild } from "../../support/builds.ts";
import { publishing, rowsOf, served, storeNar, withSignature } from "../../support/catalog.ts";
import { baseNameOf, closure, withInfo } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { newKey } from "../../support/own-keys.ts";
import { inCatalog, publishPath } from "../../support/runs.ts";
import { compressed, type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("a path that is here already", () => {
  it("stays as it is when it is pushed again", async () => {
    const path = await testPath();
    await publishPath(path);
    const before = await env.BUCKET.head(path.key);
    expect(await publishing(path.text)).toMatchObject({
      ...{ result: "unchanged", purged: [], billed: { A: 1, B: 1 } },
      operations: [`get ${path.narKey}`, `put ${path.key}`],
    });
    expect(await env.BUCKET.head(path.key)).toMatchObject({ version: before?.version });
  });

  it("gets the signatures of the new narinfo and nothing else, and the edge forgets the old one", async () => {
    const path = await testPath();
    await publishPath(path);
    const more = withInfo(path, {
      ...{ deriver: baseNameOf(path), ca: `fixed:r:${formatHash(path.info.narHash)}` },
      extra: [["X-Origin", "here"]],
    });
    expect(await publishing(withSignature(more.text, "a"))).toMatchObject({
      ...{ result: "updated", purged: [[`/${path.key}`]], billed: { A: 1, B: 1 } },
    });
    await publishing(withSignature(path.text, "b"));
    expect(await served(path)).toBe(withSignature(withSignature(path.text, "a"), "b"));
    expect(await rowsOf("SELECT signers FROM paths")).toEqual([{ signers: "a b" }]);
  });

  it("keeps its URL and compression when it is pushed compressed otherwise", async () => {
    const path = await testPath();
    await publishPath(path);
    const other = await compressed(path);
    await storeNar(other);
    expect(await publishing(withSignature(other.text, "a"))).toMatchObject({ result: "updated" });
    expect(await served(path)).toBe(withSignature(path.text, "a"));
  });

  it("stays when another build of it is pushed, and the difference is noted", async () => {
    const path = await testPath();
    await publishPath(path);
    const other = await otherBuild(path);
    await storeNar(other);
    expect(await publishing(withSignature(other.text, "a"))).toMatchObject({
      ...{ result: "kept-existing", purged: [], billed: { A: 1, B: 1 } },
    });
    expect(await served(path)).toBe(path.text);
    expect(await rowsOf("SELECT nar_size, pushed_by FROM differing_builds")).toEqual([
      { nar_size: other.info.narSize, pushed_by: "PUSH_TOKEN" },
    ]);
    expect(await rowsOf("SELECT nar FROM paths")).toEqual([{ nar: path.narKey }]);
  });

  it("keeps the first signatures of more than a narinfo may have", async () => {
    const path = await testPath();
    await publishPath(path);
    const signatures = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) => withSignature("", `key-${from + n}`)).join("");
    expect(await publishing(path.text + signatures(0, 6000))).toMatchObject({ result: "updated" });
    expect(await served(path)).toBe(path.text + signatures(0, MAX_SIGNATURES));
    expect(await publishing(path.text + signatures(6000, 6000))).toMatchObject({ result: "unchanged" });
    expect(await served(path)).toBe(path.text + signatures(0, MAX_SIGNATURES));
    expect(await rowsOf("SELECT * FROM publications")).toEqual([]);
  });

  it("that is gone from the bucket comes back", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.delete(path.key);
    expect(await publishing(path.text)).toMatchObject({ result: "updated", billed: { A: 1, B: 1 } });
    expect(await served(path)).toBe(path.text);
  });

  it("that is gone from the bucket comes back even if another build of it is pushed", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.delete(path.key);
    const other = await otherBuild(path);
    await storeNar(other);
    expect(await publishing(other.text)).toMatchObject({ result: "kept-existing" });
    expect(await served(path)).toBe(path.text);
  });
});

describe("a path that was pushed before the cache signed", () => {
  const own = newKey("own-1");
  const signing = async () => {
    const keys = { signing: [await parseSecretKey((await own).secret)], trusted: [], problems: [] };
    return inCatalog(({ config }) => ({ config: { ...config, keys: async () => keys } }));
  };
  const signers = async () =>
    [...((await served(await testPath())) ?? "").matchAll(/^Sig: (.*?):/gm)].map(([, name]) => name);

  it("is signed when another build of it is pushed, and stays", async () => {
    const path = await testPath();
    await publishPath(path);
    const other = await otherBuild(path);
    await storeNar(other);
    const changes = await signing();
    expect(await publishing(other.text, {}, changes)).toMatchObject({
      ...{ result: "kept-existing", purged: [[`/${path.key}`]] },
    });
    expect(await served(path)).toContain(path.text);
    expect(await signers()).toEqual(["own-1"]);
    expect(await publishing(other.text, {}, changes)).toMatchObject({ result: "kept-existing", purged: [] });
  });

  it("and whose narinfo is gone does not come back unsigned", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.delete(path.key);
    const other = await otherBuild(path);
    await storeNar(other);
    await publishing(other.text, {}, await signing());
    expect(await signers()).toEqual(["own-1"]);
  });
});

describe("healing", () => {
  it.each([
    ["gone", (path: TestPath) => env.BUCKET.delete(path.narKey)],
    ["cut short", (path: TestPath) => env.BUCKET.put(path.narKey, path.nar.slice(1))],
    ["overwritten", (path: TestPath) => storeNar(path, new Uint8Array(path.nar.length))],
  ])("a path whose NAR is %s takes the URL of the new push, and its signatures stay", async (_, damage) => {
    const path = await testPath();
    await publishPath(path);
    await publishing(withSignature(path.text, "a"));
    await damage(path);
    const other = await compressed(path);
    expect((await publishing(path.text)).result).toMatchObject({ status: 409 });
    await storeNar(other);
    expect(await publishing(other.text)).toMatchObject({
      ...{ result: "updated", purged: [[`/${path.key}`]], billed: { A: 1, B: 2 } },
    });
    expect(await served(path)).toBe(withSignature(other.text, "a"));
    expect(await rowsOf("SELECT key FROM nars WHERE released IS NULL")).toEqual([{ key: other.narKey }]);
  });

  it("takes another build, with its own references", async () => {
    const { library, app } = await closure();
    for (const path of [library, app]) await publishPath(path);
    await env.BUCKET.delete(app.narKey);
    const other = await otherBuild(app, { references: [] });
    await storeNar(other);
    expect(await publishing(other.text)).toMatchObject({ result: "updated" });
    expect(await served(app)).toBe(other.text);
    expect(await rowsOf("SELECT * FROM refs")).toEqual([]);
  });

  it("needs the references, too", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await env.BUCKET.delete(library.narKey);
    const other = await otherBuild(library, { references: [baseNameOf(app)] });
    await storeNar(other);
    expect((await publishing(other.text)).result).toMatchObject({ status: 409 });
    expect(await served(library)).toBe(library.text);
  });
});
