/** Resign: every narinfo gets the signatures of the keys of now, and nothing else of it changes. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { RESIGN } from "../../../src/catalog/resign/resign.ts";
import { requestRun } from "../../../src/catalog/runs/engine.ts";
import { type Config, parseConfig } from "../../../src/config/config.ts";
import type { ResignOptions, ResignReport } from "../../../src/contract/runs.ts";
import { fingerprint } from "../../../src/nix/fingerprint.ts";
import { generateSecretKey, parsePublicKey, verify } from "../../../src/nix/keys.ts";
import { parseNarInfo } from "../../../src/nix/narinfo.ts";
import { failing, meanwhile } from "../../support/bucket.ts";
import { recorded, signatureBy, withSignature } from "../../support/catalog.ts";
import { type Closure, closure, hashOf, publishClosure } from "../../support/closure.ts";
import { dyingAtEveryOperation } from "../../support/dying.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog, publishPath, reindex, resign, rows, storePath } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

afterEach(reset);
captureLog();

const [OLD, NEW, OTHER] = await Promise.all(
  ["old-1", "new-1", "other-1"].map((name) => generateSecretKey(name)),
);
if (OLD === undefined || NEW === undefined || OTHER === undefined) throw new Error("no keys");

function configWith(...keys: readonly ({ secret: string } | undefined)[]): Config {
  const SIGNING_KEY = keys.map((key) => key?.secret).join(" ");
  return parseConfig({ BUCKET: env.BUCKET, CATALOG: env.CATALOG, SIGNING_KEY });
}

/** A closure that the old key has signed, in a catalog that knows its bucket; all of it was pushed a while ago. */
async function signedClosure(): Promise<Closure> {
  await inCatalog(async (c) => {
    await reindex(c);
  });
  const paths = await publishClosure();
  await resigning(configWith(OLD));
  await inCatalog(
    ({ sql }) =>
      void sql.exec(
        "UPDATE paths SET last_push = last_push - 5000, first_push = first_push - 9000, wanted = wanted + 7",
      ),
  );
  return paths;
}

function resigning(config: Config, options: ResignOptions = {}) {
  return recorded((c) => resign(c, options), {}, { config });
}

/** Names of the keys whose signatures are there and right, and those of the others with a `?`. */
async function signers({ key }: TestPath): Promise<string[]> {
  const info = parseNarInfo((await (await env.BUCKET.get(key))?.text()) ?? "", "/nix/store");
  const text = fingerprint(info);
  const names = info.signatures.map(async (signature) => {
    const name = signature.split(":")[0] ?? "";
    const key = [OLD, NEW, OTHER].find((each) => each?.public.startsWith(`${name}:`));
    const isRight = key && (await verify([await parsePublicKey(key.public)], text, [signature]));
    return isRight ? name : `${name}?`;
  });
  return (await Promise.all(names)).sort();
}

/** What a resign must leave alone. */
function pushes(): Promise<unknown[]> {
  return inCatalog(({ sql }) =>
    sql
      .exec("SELECT hash, first_push, last_push, pushed_by, wanted, incomplete, nar FROM paths ORDER BY hash")
      .toArray(),
  );
}

/** Rows and bucket say the same, nothing is pending, and a catalog that is built anew says it, too. */
async function expectSound(): Promise<void> {
  const known = await pushes();
  await inCatalog(async (c) => {
    const before = rows(c);
    expect(before.pending).toEqual([]);
    expect(await reindex(c)).toMatchObject({ indexed: 0, removed: 0, unreadable: { count: 0 } });
    for (const { hash, narinfo, etag } of before.paths as Record<string, string>[]) {
      const object = await env.BUCKET.get(`${hash}.narinfo`);
      expect([await object?.text(), object?.etag]).toEqual([narinfo, etag]);
    }
    c.sql.exec("DELETE FROM paths");
    await reindex(c);
  });
  const built = await pushes();
  // When a path was last wanted the bucket does not know.
  const pushed = (all: unknown[]) => all.map((row) => ({ ...(row as object), wanted: 0 }));
  expect(pushed(built)).toEqual(pushed(known));
}

/** Of the two folders of realisations, which are empty. */
const LISTINGS = ["list ", "list "];

describe("every narinfo", () => {
  test("is signed by a new key and stays signed by the old, with one write each and two listings", async () => {
    const { all } = await signedClosure();
    const before = await pushes();
    const { result, operations, billed, purged } = await resigning(configWith(NEW, OLD));
    expect(result).toMatchObject({ kind: "resign", done: true, drop: null, keys: ["new-1", "old-1"] });
    expect(result).toMatchObject({ paths: 3, resigned: 3, unreadable: { count: 0 } });
    for (const path of all) expect(await signers(path)).toEqual(["new-1", "old-1"]);
    expect([billed, operations.toSorted()]).toEqual([
      { A: 5, B: 0 },
      [...LISTINGS, ...all.map(({ key }) => `put ${key}`)].sort(),
    ]);
    expect(purged.flat().sort()).toEqual(all.map(({ key }) => `/${key}`).sort());
    expect(await pushes()).toEqual(before);
    await expectSound();
  });

  test("that has all signatures costs no operation of its own", async () => {
    await signedClosure();
    const fresh = await testPath("fresh");
    await publishPath(fresh);
    const config = configWith(OLD);
    expect((await resigning(config)).operations).toEqual([`put ${fresh.key}`, ...LISTINGS]);
    const again = await resigning(config);
    expect([again.operations, again.purged, again.result]).toEqual([
      LISTINGS,
      [],
      expect.objectContaining({ paths: 4, resigned: 0 }),
    ]);
  });

  test("keeps signatures by keys that are not configured any more, unless they are to go", async () => {
    const { all } = await signedClosure();
    await resigning(configWith(NEW));
    for (const path of all) expect(await signers(path)).toEqual(["new-1", "old-1"]);
    expect((await resigning(configWith(NEW), { drop: "old-1" })).result).toMatchObject({
      resigned: 3,
      drop: "old-1",
    });
    for (const path of all) expect(await signers(path)).toEqual(["new-1"]);
    expect((await resigning(configWith(), { drop: "new-1" })).result).toMatchObject({
      resigned: 3,
      keys: [],
    });
    for (const path of all) expect(await signers(path)).toEqual([]);
    await expectSound();
  });

  test("loses what claims to be by a configured key and is not, and keeps a stranger's", async () => {
    const path = await testPath();
    await publishPath({ ...path, text: withSignature(withSignature(path.text, "new-1"), "stranger-1") });
    await resigning(configWith(NEW));
    expect(await signers(path)).toEqual(["new-1", "stranger-1?"]);
    const { text } = path;
    expect((await (await env.BUCKET.get(path.key))?.text())?.startsWith(text)).toBe(true);
    expect(await (await env.BUCKET.get(path.key))?.text()).toContain(`Sig: ${signatureBy("stranger-1")}\n`);
  });

  test("that only the bucket knows is learnt first", async () => {
    const path = await testPath();
    await storePath(path);
    expect((await resigning(configWith(NEW))).result).toMatchObject({ paths: 1, resigned: 1 });
    expect(await signers(path)).toEqual(["new-1"]);
  });
});

describe("a resign is refused", () => {
  test.each<[string, () => Config, ResignOptions, number, RegExp]>([
    ["without a key", () => configWith(), {}, 409, /^no key signs for this cache/],
    [
      "for a key that signs",
      () => configWith(NEW, OLD),
      { drop: "old-1" },
      409,
      /^old-1 signs for this cache/,
    ],
    [
      "with a mistake in the configuration",
      () => configWith({ secret: "nonsense" }),
      {},
      403,
      /^nothing is signed/,
    ],
  ])("%s", async (_, config, options, status, message) => {
    const { all } = await signedClosure();
    const { result, operations } = await resigning(config(), options);
    expect([result, operations]).toEqual([{ status, message: expect.stringMatching(message) }, []]);
    for (const path of all) expect(await signers(path)).toEqual(["old-1"]);
  });
});

describe("whatever happens meanwhile", () => {
  test.each(["before", "after"] as const)(
    "a process that dies %s any operation leaves nothing undone",
    async (when) => {
      const { all } = await signedClosure();
      const before = await pushes();
      const config = configWith(NEW, OLD);
      const deaths = await inCatalog((c) =>
        dyingAtEveryOperation({ ...c, config }, (alive) => resign(alive), when),
      );
      expect(deaths).toBeGreaterThanOrEqual(3);
      for (const path of all) expect(await signers(path)).toEqual(["new-1", "old-1"]);
      // Settled when its time has come.
      await inCatalog((c) =>
        resign({ ...c, config, publications: {}, now: () => c.now() + 3600_000 }, { restart: true }),
      );
      expect(await pushes()).toEqual(before);
      await expectSound();
    },
  );

  test("a bucket that fails stops a step, and the run goes on when it is back", async () => {
    const { all } = await signedClosure();
    const config = configWith(NEW, OLD);
    const stopped = await recorded(
      async (c) => {
        await requestRun(c, RESIGN, {});
        return RESIGN.status(c);
      },
      failing(({ name, key }) => name === "put" && key === all[1]?.key),
      { config },
    );
    expect(stopped.result).toMatchObject({ done: false, problem: expect.any(String), resigned: 2 });
    expect((await resigning(config)).result).toMatchObject({ done: true, resigned: 3 });
    for (const path of all) expect(await signers(path)).toEqual(["new-1", "old-1"]);
  });

  test.each([
    [{}, "old-1"],
    [{ restart: true }, null],
  ])("one that drops signatures and is under way, asked again with %j, drops %s", async (options, drop) => {
    await signedClosure();
    const config = configWith(NEW);
    const isPut = ({ name }: { name: string }) => name === "put";
    const begin = (asked: ResignOptions) => (c: CatalogContext) => requestRun(c, RESIGN, asked);
    await recorded(begin({ drop: "old-1" }), failing(isPut), { config });
    await recorded(begin(options), failing(isPut), { config });
    expect(await inCatalog((c) => RESIGN.status({ ...c, config }))).toMatchObject({ done: false, drop });
  });

  test("keys that change under way begin it again", async () => {
    const { all } = await signedClosure();
    await recorded(
      (c) => requestRun(c, RESIGN, {}),
      failing(({ name, key }) => name === "put" && key === all[2]?.key),
      {
        config: configWith(NEW),
      },
    );
    expect((await resigning(configWith(OTHER))).result).toMatchObject({ keys: ["other-1"], paths: 3 });
    for (const path of all) expect(await signers(path)).toContain("other-1");
  });

  test("what another tool has written is learnt, and signed", async () => {
    const { app } = await signedClosure();
    const changed = withSignature(app.text, "tool-1");
    const { result } = await recorded(
      (c) => resign(c),
      meanwhile(
        ({ name, key }) => name === "put" && key === app.key,
        () => env.BUCKET.put(app.key, changed),
      ),
      { config: configWith(NEW) },
    );
    expect(result).toMatchObject({ done: true, resigned: 3 });
    expect(await signers(app)).toEqual(["new-1", "tool-1?"]);
  });

  test("what has vanished or is damaged in the bucket is passed by and named", async () => {
    const { app, packed, library } = await signedClosure();
    await env.BUCKET.delete(app.key);
    await env.BUCKET.put(packed.key, "nonsense");
    const { result } = await resigning(configWith(NEW));
    const names = [hashOf(app), hashOf(packed)].sort();
    expect(result).toMatchObject({ done: true, resigned: 1, unreadable: { count: 2 } });
    expect((result as ResignReport).unreadable.first.map(({ name }) => name)).toEqual(names);
    expect(await signers(library)).toEqual(["new-1", "old-1"]);
    expect(await env.BUCKET.head(app.key)).toBeNull();
  });

  test("a path that is deleted stays deleted, and one that is pushed is pushed", async () => {
    const { library, packed } = await signedClosure();
    const late = await closure();
    const config = configWith(NEW);
    await inCatalog(async (c) => {
      const context = { ...c, config };
      const run = resign(context);
      const deleted = deletePath(context, hashOf(packed), false);
      await Promise.all([run, deleted]);
    });
    await publishPath(late.library);
    expect(await env.BUCKET.head(packed.key)).toBeNull();
    expect(await signers(library)).toEqual(["new-1", "old-1"]);
    await inCatalog((c) => expect(rows(c).pending).toEqual([]));
  });
});
