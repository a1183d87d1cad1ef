import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { deletePath } from "../../src/catalog/delete.ts";
import { missingPaths } from "../../src/catalog/paths.ts";
import { recover } from "../../src/catalog/pending.ts";
import { type Config, parseConfig } from "../../src/config.ts";
import { formatNarInfo } from "../../src/nix/narinfo.ts";
import { failing, losingAnswers, meanwhile, r2Error } from "../support/bucket.ts";
import { publishing, recorded, rowsOf, served, storeNar, withSignature } from "../support/catalog.ts";
import { baseNameOf, closure, hashOf, publishClosure, withInfo } from "../support/closure.ts";
import { captureLog } from "../support/log.ts";
import { inCatalog, publishPath, rows, storePath } from "../support/runs.ts";
import { compressedPath, type TestPath, testPath } from "../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const CREATED = { result: "created", purged: [], waited: [] };

/** The same path with another content. */
function otherBuild(path: TestPath, changes: Partial<TestPath["info"]> = {}): Promise<TestPath> {
  return testPath(path.info.storePath.name, `another build of ${path.info.storePath.name}`, changes);
}

/** The same content of a path, compressed. */
async function compressed(path: TestPath): Promise<TestPath> {
  const { narHash, narSize } = path.info;
  return withInfo(await compressedPath(path.info.storePath.name), { narHash, narSize });
}

describe("a new path", () => {
  it("costs one read and one write", async () => {
    const path = await testPath();
    await storeNar(path);
    expect(await publishing(path.text)).toMatchObject({
      ...CREATED,
      operations: [`head ${path.narKey}`, `put ${path.key}`],
      billed: { A: 1, B: 1 },
    });
    expect(await served(path)).toBe(path.text);
    expect(await rowsOf("SELECT hash, nar, incomplete, pushed_by FROM paths")).toEqual([
      { hash: hashOf(path), nar: path.narKey, incomplete: 0, pushed_by: "PUSH_TOKEN" },
    ]);
    expect(await rowsOf("SELECT is_stored, released FROM nars")).toEqual([{ is_stored: 1, released: null }]);
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
  });

  it("costs no more where its references are here, and may refer to itself", async () => {
    const { app, library, packed } = await closure();
    for (const path of [library, app]) await publishPath(path);
    await storeNar(packed);
    expect(await publishing(packed.text)).toMatchObject({ ...CREATED, billed: { A: 1, B: 1 } });
    expect(await rowsOf("SELECT reference FROM refs WHERE referrer = ? ORDER BY 1", hashOf(packed))).toEqual(
      [hashOf(app), hashOf(library)].sort().map((reference) => ({ reference })),
    );
    expect(await rowsOf("SELECT * FROM refs WHERE referrer = reference")).toEqual([]);
  });

  it("is stored in Nix's spelling, with FileHash and FileSize even where they were left out", async () => {
    const path = await compressedPath("hello-1.0");
    await storeNar(path);
    const { fileHash, fileSize, ...info } = path.info;
    expect(fileHash && fileSize).toBeDefined();
    expect(await publishing(formatNarInfo(info))).toMatchObject({ ...CREATED, billed: { A: 1, B: 1 } });
    expect(await served(path)).toBe(path.text);
  });
});

describe("the NAR of a new path", () => {
  it.each([
    ["is not here", undefined, "is not in this cache"],
    ["has another size", new Uint8Array(3), "has 3 bytes, not 20"],
    ["has another content", new Uint8Array(20), "has the hash sha256:"],
  ])("that %s makes a refusal which says so", async (_, bytes, reason) => {
    const path = await testPath();
    if (bytes !== undefined) await storeNar(path, bytes);
    const { result, billed } = await publishing(path.text);
    expect(result).toMatchObject({
      status: 409,
      message: expect.stringContaining(`${path.narKey} ${reason}`),
    });
    expect(result).toMatchObject({ message: expect.stringMatching(/; push the path again$/) });
    expect(billed).toEqual({ A: 0, B: 1 });
    expect(await served(path)).toBeUndefined();
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
  });

  it("without a checksum is hashed by the bucket, once", async () => {
    const path = await testPath();
    await env.BUCKET.put(path.narKey, path.nar);
    expect(await publishing(path.text)).toMatchObject({
      ...CREATED,
      operations: [`head ${path.narKey}`, `get ${path.narKey}`, `put ${path.narKey}`, `put ${path.key}`],
    });
    expect(await publishing(withSignature(path.text, "a"))).toMatchObject({ billed: { A: 1, B: 1 } });
  });

  it("without a checksum and with another content is refused, and stays as it is", async () => {
    const path = await testPath();
    await env.BUCKET.put(path.narKey, new Uint8Array(20));
    const { result } = await publishing(path.text);
    expect(result).toMatchObject({ status: 409, message: expect.stringContaining("has the hash sha256:") });
    expect((await env.BUCKET.head(path.narKey))?.checksums.sha256).toBeUndefined();
  });

  it("without a checksum is hashed here where the narinfo has no FileHash", async () => {
    const path = await compressedPath("hello-1.0");
    const { fileHash, ...info } = path.info;
    expect(fileHash).toBeDefined();
    await env.BUCKET.put(path.narKey, path.nar);
    expect(await publishing(formatNarInfo(info))).toMatchObject({ ...CREATED, billed: { A: 1, B: 2 } });
    expect(await served(path)).toBe(path.text);
  });

  it("that vanishes while it is to be hashed is not waited for", async () => {
    const path = await testPath();
    await env.BUCKET.put(path.narKey, path.nar);
    const vanishes = meanwhile(
      ({ name }) => name === "get",
      () => env.BUCKET.delete(path.narKey),
    );
    expect((await publishing(path.text, vanishes)).result).toMatchObject({
      status: 409,
      message: expect.stringContaining("was replaced or deleted at this moment"),
    });
  });
});

describe("references", () => {
  it("that are not here are named, the first five of them, and looked for in the bucket", async () => {
    const missing = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => testPath(`dependency-${n}`)));
    const path = await testPath("app-1.0", "app", { references: missing.map(baseNameOf) });
    await storeNar(path);
    const { result, billed } = await publishing(path.text);
    const named = missing.slice(0, 5).map(baseNameOf).join(", ");
    expect(result).toEqual({
      status: 409,
      message: `${baseNameOf(path)} refers to what is not in this cache: ${named} and 2 more; push its whole closure: nix copy, with --narinfo-cache-positive-ttl 0 if these were deleted here`,
    });
    expect(billed).toEqual({ A: 0, B: 8 });
    expect(await served(path)).toBeUndefined();
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
  });

  it("are all that the refusal names: those that are here are not", async () => {
    const { library, app, packed } = await closure();
    await publishPath(library);
    await storeNar(packed);
    expect((await publishing(packed.text)).result).toMatchObject({
      message: `${baseNameOf(packed)} refers to what is not in this cache: ${baseNameOf(app)}; push its whole closure: nix copy, with --narinfo-cache-positive-ttl 0 if these were deleted here`,
    });
  });

  it("that only the bucket knows are here, and known from then on", async () => {
    const { library, app } = await closure();
    await storePath(library);
    await storeNar(app);
    expect(await publishing(app.text)).toMatchObject({ ...CREATED, billed: { A: 1, B: 2 } });
    expect(await inCatalog((c) => missingPaths(c, [hashOf(library)]))).toEqual([]);
  });

  it("that cannot be read are not here", async () => {
    const { library, app } = await closure();
    await storeNar(app);
    await env.BUCKET.put(library.key, "StorePath: nonsense\n");
    expect((await publishing(app.text)).result).toMatchObject({ status: 409 });
  });

  it("cannot go while a publication relies on them, nor can they when nobody knows whether it has happened", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await storeNar(app);
    let refusal: unknown;
    const { result } = await recorded((c) =>
      publishing(app.text, {
        ...losingAnswers(({ name }) => name === "put"),
        before: async ({ name }) => {
          if (name === "put") refusal = await deletePath(c, hashOf(library), false).catch((error) => error);
        },
      }).then(({ result }) => result),
    );
    expect(refusal).toMatchObject({
      status: 409,
      message: expect.stringContaining(`is referred to by ${hashOf(app)}-(being published or deleted)`),
    });
    expect(result).toMatchObject({ status: 503 });
    const later = await recorded((c) => deletePath(c, hashOf(library), false));
    expect(later.result).toMatchObject({ status: 409 });
  });

  it("of a narinfo that arrives after its writer has died are kept", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await storeNar(app);
    await publishing(app.text, {
      before: ({ name }) => {
        if (name === "put") throw new Error("Network connection lost.");
      },
    });
    await recorded((c) => recover(c));
    expect((await recorded((c) => deletePath(c, hashOf(library), false))).result).toMatchObject({
      status: 409,
    });
    await env.BUCKET.put(app.key, app.text);
    const hour = { now: () => Date.now() + 3600_000 };
    await recorded((c) => recover(c), {}, hour);
    expect((await recorded((c) => deletePath(c, hashOf(library), false), {}, hour)).result).toMatchObject({
      message: expect.stringContaining(`is referred to by ${baseNameOf(app)};`),
    });
  });
});

describe("a path that is here already", () => {
  it("stays as it is when it is pushed again", async () => {
    const path = await testPath();
    await publishPath(path);
    const before = await env.BUCKET.head(path.key);
    expect(await publishing(path.text)).toMatchObject({
      ...{ result: "unchanged", purged: [], billed: { A: 1, B: 1 } },
      operations: [`head ${path.narKey}`, `put ${path.key}`],
    });
    expect(await env.BUCKET.head(path.key)).toMatchObject({ version: before?.version });
  });

  it("gets what the new narinfo adds, and the edge forgets the old one", async () => {
    const path = await testPath();
    await publishPath(path);
    const more = withInfo(path, { deriver: baseNameOf(path), extra: [["X-Origin", "here"]] });
    expect(await publishing(withSignature(more.text, "a"))).toMatchObject({
      ...{ result: "updated", purged: [[`/${path.key}`]], billed: { A: 1, B: 1 } },
    });
    await publishing(withSignature(path.text, "b"));
    const text = await served(path);
    expect(text).toMatch(/^Sig: a:/m);
    expect(text).toMatch(/^Sig: b:/m);
    expect(text).toMatch(/^Deriver: /m);
    expect(text).toMatch(/^X-Origin: here$/m);
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
      ...{ result: "first-build-stays", purged: [], billed: { A: 1, B: 1 } },
    });
    expect(await served(path)).toBe(path.text);
    expect(await rowsOf("SELECT nar_size, pushed_by FROM differing_builds")).toEqual([
      { nar_size: other.info.narSize, pushed_by: "PUSH_TOKEN" },
    ]);
    expect(await rowsOf("SELECT nar FROM paths")).toEqual([{ nar: path.narKey }]);
  });

  it("refuses more signatures than a narinfo can hold", async () => {
    const path = await testPath();
    await publishPath(path);
    const signatures = (from: number) =>
      Array.from({ length: 6000 }, (_, n) => withSignature("", `key-${from + n}`)).join("");
    expect(await publishing(path.text + signatures(0))).toMatchObject({ result: "updated" });
    const before = await served(path);
    expect((await publishing(path.text + signatures(6000))).result).toMatchObject({ status: 413 });
    expect(await served(path)).toBe(before);
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
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
    expect(await publishing(other.text)).toMatchObject({ result: "first-build-stays" });
    expect(await served(path)).toBe(path.text);
  });
});

describe("a narinfo that only the bucket knows", () => {
  it("is merged like any other, and known from then on", async () => {
    const path = await testPath();
    await storeNar(path);
    await env.BUCKET.put(path.key, withSignature(path.text, "a"));
    expect(await publishing(withSignature(path.text, "b"))).toMatchObject({
      ...{ result: "updated", purged: [[`/${path.key}`]] },
      operations: [
        `head ${path.narKey}`,
        `put ${path.key}`,
        `get ${path.key}`,
        `head ${path.narKey}`,
        `put ${path.key}`,
      ],
    });
    expect(await served(path)).toBe(withSignature(withSignature(path.text, "a"), "b"));
    expect(await rowsOf("SELECT signers FROM paths")).toEqual([{ signers: "a b" }]);
  });

  it("is not written again where it says all that the new one says", async () => {
    const path = await testPath();
    await storePath(path);
    expect(await publishing(path.text)).toMatchObject({
      result: "unchanged",
      operations: [
        `head ${path.narKey}`,
        `get ${path.narKey}`,
        `put ${path.narKey}`,
        `put ${path.key}`,
        `get ${path.key}`,
        `head ${path.narKey}`,
      ],
    });
  });

  it("stays when another build is pushed, and is known from then on", async () => {
    const path = await testPath();
    await storePath(path);
    const other = await otherBuild(path);
    await storeNar(other);
    expect(await publishing(other.text)).toMatchObject({ result: "first-build-stays" });
    expect(await served(path)).toBe(path.text);
    expect(await rowsOf("SELECT nar FROM paths")).toEqual([{ nar: path.narKey }]);
  });

  it.each([
    ["cannot be read", "StorePath: nonsense\n"],
    ["names no object", "nonsense"],
    ["is empty", ""],
  ])("and that %s is replaced", async (_, text) => {
    const path = await testPath();
    await storeNar(path);
    await env.BUCKET.put(path.key, text);
    expect(await publishing(path.text)).toMatchObject({ result: "updated", purged: [[`/${path.key}`]] });
    expect(await served(path)).toBe(path.text);
  });

  it("keeps its NAR and its references while it is looked at", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    const other = await otherBuild(app);
    await storeNar(other);
    await storePath(app);
    let refusal: unknown;
    await recorded((c) =>
      publishing(other.text, {
        before: async ({ name, key }) => {
          if (name !== "head" || key !== app.narKey) return;
          refusal = await deletePath(c, hashOf(library), false).catch((error) => error);
        },
      }).then(({ result }) => result),
    );
    expect(refusal).toMatchObject({ status: 409 });
  });

  it("that changes again and again makes a refusal in the end", async () => {
    const path = await testPath();
    await storeNar(path);
    let change = 0;
    const { result } = await publishing(withSignature(path.text, "a"), {
      before: async ({ name, key }) => {
        if (name !== "put" || key !== path.key) return;
        await env.BUCKET.put(key, withSignature(path.text, `other-${change++}`));
      },
    });
    expect(result).toMatchObject({ status: 503 });
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
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

describe("a bucket that fails", () => {
  it("takes one write a second to a narinfo: the publication waits", async () => {
    const path = await testPath();
    await storeNar(path);
    let refusals = 3;
    const { result, waited } = await publishing(path.text, {
      before: ({ name }) => {
        if (name === "put" && refusals-- > 0)
          throw r2Error("put", "Reduce your concurrent request rate", 10058);
      },
    });
    expect({ result, waited }).toEqual({ result: "created", waited: [1100, 1100, 1100] });
  });

  it("that goes on refusing is not waited for without end, and nothing is left behind", async () => {
    const path = await testPath();
    await storeNar(path);
    const { result, waited } = await publishing(path.text, {
      before: ({ name }) => {
        if (name === "put") throw r2Error("put", "Reduce your concurrent request rate", 10058);
      },
    });
    expect(result).toMatchObject({ status: 503 });
    expect(waited).toHaveLength(4);
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
  });

  it("while it is read leaves nothing behind", async () => {
    const path = await testPath();
    await storeNar(path);
    expect(
      (
        await publishing(
          path.text,
          failing(({ name }) => name === "head"),
        )
      ).result,
    ).toMatchObject({
      status: 503,
    });
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
  });

  it.each([
    ["refuses and has not written", failing, []],
    ["writes and loses the answer", losingAnswers, ["here"]],
  ] as const)("when it is to write, %s: the next look settles it", async (_, interference, expected) => {
    const path = await testPath();
    await storeNar(path);
    const { result } = await publishing(
      path.text,
      interference(({ name }) => name === "put"),
    );
    expect(result).toMatchObject({ status: 503 });
    expect(await rowsOf("SELECT kind, key FROM pending")).toEqual([{ kind: "publish", key: hashOf(path) }]);
    await recorded((c) => recover(c), {}, { now: () => Date.now() + 3600_000 });
    expect(await rowsOf("SELECT 'here' AS here FROM paths")).toEqual(expected.map((here) => ({ here })));
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
    expect(await publishing(path.text)).toMatchObject({
      result: expected.length > 0 ? "unchanged" : "created",
    });
  });

  it("when the next one waits already: what it has written of the first is not forgotten", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await storeNar(app);
    const other = await otherBuild(app, { references: [] });
    let second: Promise<unknown> = Promise.resolve();
    await recorded(async (c) => {
      await publishing(app.text, {
        ...losingAnswers(({ name, key }) => name === "put" && key === app.key),
        before: ({ name }) => {
          if (name === "head") second = publishing(other.text);
        },
      });
      expect(await second).toMatchObject({ result: "first-build-stays" });
      expect(missingPaths(c, [hashOf(app)])).toEqual([]);
    });
    expect(await served(app)).toBe(app.text);
    expect((await recorded((c) => deletePath(c, hashOf(library), false))).result).toMatchObject({
      status: 409,
    });
  });

  it("does not stop others: what cannot be settled is left alone", async () => {
    const [one, two] = [await testPath("one"), await testPath("two")];
    for (const path of [one, two]) await storeNar(path);
    await publishing(
      one.text,
      failing(({ name }) => name === "put"),
    );
    const broken = failing(({ key }) => key === one.key);
    expect(await publishing(two.text, broken)).toMatchObject({ result: "created" });
    expect(await rowsOf("SELECT key FROM pending")).toEqual([{ key: hashOf(one) }]);
  });
});

describe("an open cache", () => {
  const open: { config: Config } = {
    config: parseConfig({ CACHES: { "nix-cache": { open: true } } } as never),
  };

  it("takes a path before its references, and marks it until it is pushed with all there", async () => {
    const { library, app } = await closure();
    await storeNar(app);
    expect(await publishing(app.text, {}, open)).toMatchObject({ result: "created" });
    expect(await rowsOf("SELECT incomplete FROM paths")).toEqual([{ incomplete: 1 }]);
    expect(await publishing(app.text, {}, open)).toMatchObject({ result: "unchanged" });
    expect(await rowsOf("SELECT incomplete FROM paths")).toEqual([{ incomplete: 1 }]);
    await publishPath(library);
    expect(await publishing(app.text, {}, open)).toMatchObject({ result: "unchanged" });
    expect(await rowsOf("SELECT DISTINCT incomplete FROM paths")).toEqual([{ incomplete: 0 }]);
  });

  it("still needs the NAR", async () => {
    const { app } = await closure();
    expect((await publishing(app.text, {}, open)).result).toMatchObject({ status: 409 });
  });

  it("marks a path whose publication was settled later", async () => {
    const { app } = await closure();
    await storeNar(app);
    await publishing(
      app.text,
      losingAnswers(({ name }) => name === "put"),
      open,
    );
    await recorded((c) => recover(c), {}, { now: () => Date.now() + 3600_000 });
    expect(await rowsOf("SELECT incomplete FROM paths")).toEqual([{ incomplete: 1 }]);
  });
});

describe("a process that dies", () => {
  it("between write and index leaves what the next one finds", async () => {
    const { library, app } = await publishClosure();
    const text = withSignature(app.text, "a");
    const dead = new Error("dead");
    let isDead = false;
    const dying = publishing(
      text,
      {
        after: ({ name }) => {
          isDead ||= name === "put";
        },
      },
      {
        transaction: () => {
          throw dead;
        },
      },
    );
    await expect(dying).rejects.toBe(dead);
    expect(isDead).toBe(true);
    expect(await served(app)).toBe(text);
    expect((await recorded((c) => deletePath(c, hashOf(library), false))).result).toMatchObject({
      status: 409,
    });
    const { purged } = await recorded((c) => recover(c), {}, { now: () => Date.now() + 3600_000 });
    expect(purged).toEqual([[`/${app.key}`]]);
    expect(await rowsOf("SELECT signers FROM paths WHERE hash = ?", hashOf(app))).toEqual([{ signers: "a" }]);
    expect((await inCatalog(rows)).pending).toEqual([]);
  });
});
