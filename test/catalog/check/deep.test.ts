// Deep checks read every NAR again: what has changed in the bucket since it was pushed is found, and what nothing was
// known of is verified.
// @module-tag slow
import { evictDurableObject, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { CHECK } from "../../../src/catalog/check/check.ts";
import { MAX_NARS } from "../../../src/catalog/check/contents.ts";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { Locks } from "../../../src/catalog/locks.ts";
import { requestRun } from "../../../src/catalog/runs/engine.ts";
import type { Keys } from "../../../src/config/keys.ts";
import { formatHash } from "../../../src/nix/hash.ts";
import { parsePublicKey, parseSecretKey } from "../../../src/nix/keys.ts";
import { formatNarInfo, type NarInfo } from "../../../src/nix/narinfo.ts";
import { type Interference, type Operation, watch } from "../../support/bucket.ts";
import { contents, keys } from "../../support/cache.ts";
import { baseNameOf, hashOf, publishClosure, withInfo } from "../../support/closure.ts";
import { withoutBucket } from "../../support/dying.ts";
import { captureLog } from "../../support/log.ts";
import { expectSigned, OWN_KEYS } from "../../support/own-keys.ts";
import {
  catalog,
  check,
  inCatalog,
  namesOf,
  publishPath,
  reindex,
  resign,
  rows,
  storePath,
  untilDone,
  value,
} from "../../support/runs.ts";
import { compressedPath, type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const state = async (path: TestPath) => (await value(catalog().pathDetail(hashOf(path)))).verification.state;

/** A path of which everything but its content is right, put there by another tool. */
async function falsePath(name: string): Promise<TestPath> {
  const path = await testPath(name);
  const info: NarInfo = { ...path.info, narHash: { algorithm: "sha256", bytes: new Uint8Array(32) } };
  return { ...path, info, text: formatNarInfo(info) };
}

/** The same file with its last byte changed; R2 records no SHA-256 of it, as of what other tools put there. */
async function rot({ narKey, nar }: TestPath): Promise<void> {
  await env.BUCKET.put(narKey, nar.with(-1, (nar.at(-1) ?? 0) ^ 1));
}

const deepCheck = (options: { repair?: boolean } = {}) =>
  inCatalog((c) => check(c, { deep: true, ...options }));

describe("a deep check", () => {
  it("finds nothing where nothing is wrong, reads each NAR twice and writes nothing into the bucket", async () => {
    const { all } = await publishClosure();
    const shared = await testPath("shared-1.0", "the NAR of library-1.0");
    await publishPath(shared);
    const before = { bucket: await contents(), rows: await inCatalog(rows) };
    const { report, operations } = await inCatalog(async (c) => {
      const watched = watch(c.bucket);
      const report = await check({ ...c, bucket: watched.bucket }, { deep: true, repair: true });
      return { report, operations: watched.operations.map(({ name, key }) => `${name} ${key}`.trim()) };
    });
    expect(report).toMatchObject({ clean: true, deep: true, read: 3, unverifiable: 0 });
    expect(operations.sort()).toEqual(
      [...all.flatMap(({ narKey }) => [`get ${narKey}`, `get ${narKey}`]), "list", "list", "list"].sort(),
    );
    expect({ bucket: await contents(), rows: await inCatalog(rows) }).toEqual(before);
  });

  it("is the only one that reads NARs", async () => {
    const path = await compressedPath("packed-1.0");
    await publishPath(path);
    await rot(path);
    expect(await inCatalog((c) => check(c))).toMatchObject({ clean: true, deep: false, read: 0 });
    expect(namesOf(await deepCheck())).toEqual({ "damaged-nar": [baseNameOf(path)] });
  });

  it("takes damage out of the cache on request, so that a push heals it", async () => {
    const [rotten, sound] = [await compressedPath("rotten-1.0"), await compressedPath("sound-1.0")];
    await publishPath(rotten);
    await publishPath(sound);
    await rot(rotten);
    const { findings } = await deepCheck({ repair: true });
    expect(findings["damaged-nar"]).toMatchObject({ count: 1, repaired: 1 });
    expect(findings["damaged-nar"].first[0]?.detail).toContain(
      `its NAR ${rotten.narKey} has the hash sha256:`,
    );
    expect(await keys()).toEqual([sound.key, sound.narKey].sort());
    await publishPath(rotten);
    expect(await deepCheck()).toMatchObject({ clean: true, read: 2 });
  });

  it("finds bytes that are not those of R2's own record", async () => {
    const path = await compressedPath("packed-1.0");
    await publishPath(path);
    const report = await inCatalog((c) => {
      const { bucket } = watch(c.bucket, {
        body: () => new Blob([path.nar.with(0, 0)]).stream(),
      });
      return check({ ...c, bucket }, { deep: true, repair: true });
    });
    expect(namesOf(report)).toEqual({ "damaged-nar": [baseNameOf(path)] });
    expect(await keys()).toEqual([]);
  });

  it.each([false, true])("finds a path whose NAR contains something else (repair: %s)", async (repair) => {
    const path = await falsePath("false-1.0");
    await storePath(path);
    await inCatalog(reindex);
    const report = await deepCheck({ repair });
    expect(report.findings["false-narinfo"]).toMatchObject({ count: 1, repaired: repair ? 1 : 0 });
    expect(report.findings["false-narinfo"].first[0]).toMatchObject({
      name: baseNameOf(path),
      detail: expect.stringMatching(/^its NAR nar\/.* contains a NAR with sha256:.*; pushed by /),
    });
    expect(await keys()).toEqual(repair ? [] : [path.key, path.narKey].sort());
    if (repair) {
      await expect(value(catalog().pathDetail(hashOf(path)))).rejects.toThrow(
        `no path ${hashOf(path)} in this cache: a push of it was found false and deleted: its NAR`,
      );
    } else expect(await state(path)).toBe("false");
  });

  it("verifies a path of which nothing was known", async () => {
    const path = await compressedPath("packed-1.0");
    await storePath(path);
    await inCatalog(reindex);
    expect(await state(path)).toBe("unknown");
    expect(await deepCheck()).toMatchObject({ clean: true, read: 1 });
    expect(await state(path)).toBe("verified");
  });

  it("signs a content-addressed path of which nothing was known", async () => {
    const { info } = await compressedPath("packed-1.0");
    const addressed = { references: [], ca: `fixed:r:${formatHash(info.narHash)}` };
    const path = withInfo(await compressedPath("packed-1.0"), addressed);
    await storePath(path);
    await inCatalog(reindex);
    const [own, builder] = OWN_KEYS;
    if (own === undefined || builder === undefined) throw new Error("two keys are needed");
    const keys: Keys = {
      signing: [await parseSecretKey(own.secret)],
      trusted: [await parsePublicKey(builder.public)],
      problems: [],
    };
    const withKeys = (c: CatalogContext) => ({ ...c, config: { ...c.config, keys: async () => keys } });
    await inCatalog((c) => resign(withKeys(c)));
    await expect(expectSigned(env.BUCKET, [own])).rejects.toThrow();
    expect(await inCatalog((c) => check(withKeys(c), { deep: true }))).toMatchObject({ clean: true });
    await expectSigned(env.BUCKET, [own]);
  });

  it("counts what it cannot verify", async () => {
    const path = await testPath("packed-1.0", undefined, { compression: "lz4" });
    await storePath(path);
    await inCatalog(reindex);
    expect(await deepCheck()).toMatchObject({ clean: true, read: 1, unverifiable: 1 });
    expect(await state(path)).toBe("unverifiable");
  });

  it("says that a NAR is missing", async () => {
    const { library } = await publishClosure();
    await env.BUCKET.delete(library.narKey);
    const found = namesOf(await deepCheck());
    expect(found).toEqual({ "missing-nar": [baseNameOf(library)], "vanished-nar": [library.narKey] });
  });

  it("looks at all paths of a NAR, however many", async () => {
    const count = 230;
    const paths = await Promise.all(
      Array.from({ length: count }, (_, n) => testPath(`p${n}`, "the same", { references: [] })),
    );
    await Promise.all(paths.map((path) => env.BUCKET.put(path.key, path.text)));
    const [first] = paths;
    if (first === undefined) return;
    await env.BUCKET.put(first.narKey, first.nar);
    await inCatalog(reindex);
    await rot(first);
    const report = await deepCheck({ repair: true });
    expect(report.findings["damaged-nar"]).toMatchObject({ count, repaired: count });
    expect(await keys()).toEqual([]);
  }, 60_000);

  it("is asked for anew where a check that is not deep is under way", async () => {
    await inCatalog(async (c) => {
      const broken = withoutBucket(c);
      const isDeep = async (options: { deep?: boolean }) => {
        await requestRun(broken, CHECK, options);
        return CHECK.status(c)?.deep;
      };
      expect(await isDeep({})).toBe(false);
      expect(await isDeep({ deep: true })).toBe(true);
      expect(await isDeep({})).toBe(true);
      expect(await isDeep({ deep: false })).toBe(false);
    });
  });
});

describe("the steps of a deep check", () => {
  it("read a bounded number of NARs, and go on after an eviction", async () => {
    const count = 2 * MAX_NARS + 10;
    const paths = await Promise.all(Array.from({ length: count }, (_, n) => testPath(`path-${n}`)));
    for (const path of paths) await storePath(path);
    await inCatalog(reindex);
    const first = await value(catalog().check({ deep: true }));
    expect(first).toMatchObject({ done: false, phase: "contents", read: MAX_NARS });
    await evictDurableObject(catalog());
    expect(await untilDone(() => catalog().checkStatus())).toMatchObject({ clean: true, read: count });
  }, 60_000);

  /** A process that the platform kills while it reads this NAR: all that is left of it are the rows. */
  const dying = (c: CatalogContext, interference: Interference): CatalogContext => ({
    ...c,
    bucket: watch(c.bucket, interference).bucket,
    locks: new Locks(),
    readings: new Map(),
  });
  const never = () => new Promise<never>(() => {});
  const isReading = ({ name, key }: Operation, path: TestPath) => name === "get" && key === path.narKey;

  it.each<{
    at: string;
    lives: number;
    unverifiable: number;
    interference: (path: TestPath) => Interference;
  }>([
    {
      at: "before it has the object",
      lives: 5,
      unverifiable: 1,
      interference: (path) => ({ before: (get) => (isReading(get, path) ? never() : undefined) }),
    },
    {
      at: "while it unpacks",
      lives: 3,
      unverifiable: 1,
      interference: (path) => ({
        body: (get, object) => (isReading(get, path) ? new ReadableStream({ pull: never }) : object.body),
      }),
    },
    {
      at: "while it hashes",
      lives: 3,
      unverifiable: 0,
      interference: (path) => {
        let reads = 0;
        return { before: (get) => (isReading(get, path) && reads++ === 1 ? never() : undefined) };
      },
    },
  ])("pass by a NAR at which every process dies $at", async ({ lives, unverifiable, interference }) => {
    const { all, packed } = await publishClosure();
    const isDone = () => inCatalog((c) => CHECK.status(c)?.done);
    for (let life = 1; life <= lives; life++) {
      expect(await isDone()).not.toBe(true);
      await inCatalog(async (c) => {
        const run = check(dying(c, interference(packed)), { deep: true });
        await Promise.race([run, scheduler.wait(150)]);
      });
    }
    const report = await inCatalog((c) => CHECK.status(c));
    expect(report).toMatchObject({ done: true, clean: true, read: all.length, unverifiable });
  });
});
