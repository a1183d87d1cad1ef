// What one alarm does at most: one reading at a time, few of one NAR, few removals, one purge of the edge.
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { verifiedInTime } from "../../../src/catalog/facts/in-time.ts";
import { factsOf, saveFacts } from "../../../src/catalog/rows/nar-facts.ts";
import { newestQueued } from "../../../src/catalog/rows/nar-queue.ts";
import { verifyQueued } from "../../../src/catalog/verify/queue.ts";
import { formatHash } from "../../../src/nix/hash.ts";
import { failing, watch } from "../../support/bucket.ts";
import { recorded } from "../../support/catalog.ts";
import { largePath, withNarOf } from "../../support/lies.ts";
import { captureLog } from "../../support/log.ts";
import { pushAgain, pushTo, withAddress } from "../../support/pushing.ts";
import { check, inCatalog } from "../../support/runs.ts";
import type { TestPath } from "../../support/store-paths.ts";
import { QUIET } from "../../support/verifying.ts";

captureLog();
afterEach(reset);

const falseAddress = (n: number) => `fixed:r:sha1:${n.toString(16).padStart(40, "0")}`;
const narAddress = ({ info }: TestPath) => `fixed:r:${formatHash(info.narHash)}`;

/** Paths with one NAR, each with a false content address of its own. */
async function withFalseAddresses(count: number): Promise<{ nar: TestPath; paths: TestPath[] }> {
  const nar = await largePath("a");
  const numbers = Array.from({ length: count }, (_, n) => n);
  const paths = await Promise.all(numbers.map((n) => withAddress(nar, `false-${n}`, falseAddress(n))));
  await inCatalog(async (c) => {
    for (const path of paths) await pushTo(c, path);
  });
  return { nar, paths };
}

async function served(paths: readonly TestPath[]): Promise<number> {
  const heads = await Promise.all(paths.map(({ key }) => env.BUCKET.head(key)));
  return heads.filter((head) => head !== null).length;
}

it("one NAR is read at a time, however many clients wait", async () => {
  const paths = await Promise.all(Array.from({ length: 12 }, (_, n) => largePath(`p${n}`)));
  const most = await inCatalog(async (c) => {
    for (const path of paths) await pushTo(c, path);
    let [open, most] = [0, 0];
    const { bucket } = watch(c.bucket, {
      before: async () => {
        most = Math.max(most, ++open);
        await scheduler.wait(5);
        open--;
      },
    });
    const asleep = { ...c, bucket, wakeForVerification: () => undefined };
    const learnt = await Promise.all(paths.map(({ info }) => verifiedInTime(asleep, info)));
    expect(learnt.map(({ verdict }) => verdict.kind)).toEqual(paths.map(() => "verified"));
    return most;
  });
  expect(most).toBe(1);
});

describe("a NAR with many false content addresses", () => {
  it("is read a few times in an alarm, and the next ones go on until all paths are gone", async () => {
    const { nar, paths } = await withFalseAddresses(60);
    let last = paths.length;
    let alarms = 0;
    for (; last > 0 && alarms < 10; alarms++) {
      const { operations, purged } = await recorded(verifyQueued, {}, QUIET);
      expect(operations.filter((each) => each === `get ${nar.narKey}`).length).toBeLessThanOrEqual(4);
      expect(operations.filter((each) => each.startsWith("delete")).length).toBeLessThanOrEqual(41);
      expect(purged).toHaveLength(1);
      const left = await served(paths);
      expect(left).toBeLessThan(last);
      last = left;
    }
    expect(alarms).toBeGreaterThan(1);
    expect(await inCatalog(newestQueued)).toBeUndefined();
  });

  it("of known NARs: at most forty paths go in an alarm", async () => {
    const nar = await largePath("other");
    const paths = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => withNarOf(await largePath(`p${n}`), nar)),
    );
    await inCatalog(async (c) => {
      for (const path of paths) await pushTo(c, path);
    });
    const alarm = () => inCatalog((c) => verifyQueued(c), QUIET);
    expect(await alarm()).toBeDefined();
    expect(await served(paths)).toBe(10);
    expect(await alarm()).toBeUndefined();
    expect(await served(paths)).toBe(0);
  });
});

it("a NAR with more content addresses than its row keeps: each is checked, also one that comes meanwhile", async () => {
  const nar = await largePath("a");
  const count = 300;
  const paths = await Promise.all(
    Array.from({ length: count }, (_, n) => withAddress(nar, `self-${n}`, narAddress(nar), true)),
  );
  const lies = await Promise.all(
    Array.from({ length: 8 }, (_, n) => withAddress(nar, `lie-${n}`, falseAddress(n))),
  );
  await inCatalog(async (c) => {
    await pushTo(c, nar);
    for (const path of paths) await pushAgain(c, path);
  });
  await inCatalog(verifyQueued, QUIET);
  await inCatalog(async (c) => {
    for (const lie of lies) await pushAgain(c, lie);
  });
  let alarms = 1;
  for (; (await inCatalog(newestQueued)) !== undefined && alarms < 30; alarms++) {
    await inCatalog(verifyQueued, QUIET);
  }
  expect(alarms).toBeLessThan(30);
  expect(await served(lies)).toBe(0);
  expect(await served([nar])).toBe(1);
});

it("a deep check finds all false paths of one NAR, in as many steps as it needs", async () => {
  const { nar, paths } = await withFalseAddresses(60);
  const options = { deep: true };
  const { result, operations } = await recorded((c) => check(c, options), {}, QUIET);
  expect(result).toMatchObject({ read: 1, findings: { "false-narinfo": { count: paths.length } } });
  // Four in a step, and one for the hash.
  expect(operations.filter((each) => each === `get ${nar.narKey}`).length).toBeLessThanOrEqual(15);
});

describe("the content addresses that a row keeps", () => {
  const trueOnes = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`true-${n}`, true]));
  const kept = (nar: TestPath) =>
    inCatalog((c) => {
      const content = factsOf(c, nar.narKey)?.facts.zstd;
      return content?.kind === "nar" ? content.addresses : {};
    });

  async function known(name: string, addresses: Readonly<Record<string, boolean | null>>): Promise<TestPath> {
    const nar = await largePath(name);
    await inCatalog((c) => pushTo(c, nar));
    await inCatalog(async (c) => {
      await verifyQueued(c);
      const facts = factsOf(c, nar.narKey);
      const content = facts?.facts.zstd;
      if (facts === undefined || content?.kind !== "nar") throw new Error("it has not been read");
      saveFacts(c, nar.narKey, { ...facts, facts: { zstd: { ...content, addresses } } });
    }, QUIET);
    return nar;
  }

  it("are 256, true ones before others, new ones before old ones", async () => {
    const nar = await known("a", { old: false, unknown: null, ...trueOnes(254), new: false });
    const expected = ["unknown", ...Object.keys(trueOnes(254)), "new"];
    expect(Object.keys(await kept(nar))).toEqual(expected);
    expect(Object.keys(await kept(await known("b", { ...trueOnes(300), new: false })))).toEqual(
      Object.keys(trueOnes(300)).slice(-256),
    );
  });

  it("leave a false path no room to hide behind true ones", async () => {
    const nar = await known("a", trueOnes(256));
    const lie = await withAddress(nar, "lie", falseAddress(0));
    await inCatalog((c) => pushAgain(c, lie));
    await inCatalog(verifyQueued, QUIET);
    expect(await served([lie, nar])).toBe(1);
    expect(await inCatalog(newestQueued)).toBeUndefined();
  });
});

describe("the edge", () => {
  async function lies(): Promise<TestPath[]> {
    const paths = await Promise.all(["a", "b", "c"].map((name) => largePath(name)));
    const all = await Promise.all(paths.map(async (path, n) => withNarOf(path, await largePath(`of-${n}`))));
    await inCatalog(async (c) => {
      for (const lie of all) await pushTo(c, lie);
    });
    return all;
  }
  const narInfos = (purged: readonly (readonly string[])[]) =>
    purged.map((paths) => paths.filter((path) => path.endsWith(".narinfo")).sort());
  const keysOf = (paths: readonly TestPath[]) => paths.map(({ key }) => `/${key}`).sort();

  it("is told once in an alarm of all paths that are gone", async () => {
    const all = await lies();
    expect(narInfos((await recorded(verifyQueued, {}, QUIET)).purged)).toEqual([keysOf(all)]);
  });

  it("is told of the others although one fails", async () => {
    const all = await lies();
    const broken = failing(({ name, key }) => name === "get" && key === all[0]?.narKey);
    const { purged } = await recorded((c) => verifyQueued(c).catch(() => undefined), broken, QUIET);
    expect(narInfos(purged)).toEqual([keysOf(all.slice(1))]);
  });

  it("is told once in a step of a deep check", async () => {
    const all = await lies();
    await inCatalog(({ sql }) => sql.exec("UPDATE nars SET queued = NULL"));
    const { purged } = await recorded((c) => check(c, { deep: true, repair: true }), {}, QUIET);
    expect(narInfos(purged)).toEqual([keysOf(all)]);
  });
});
