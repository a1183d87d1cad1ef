/** Resign: realisations get the signatures of the keys of now, too, in a walk over both of their folders. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RESIGN } from "../../../src/catalog/resign/resign.ts";
import { requestRun } from "../../../src/catalog/runs/engine.ts";
import type { Config } from "../../../src/config/config.ts";
import type { ResignOptions } from "../../../src/contract/runs.ts";
import { failing, inSmallPages, isPut, meanwhile } from "../../support/bucket.ts";
import { recorded } from "../../support/catalog.ts";
import { baseNameOf } from "../../support/closure.ts";
import { runDyingAtEveryOperation } from "../../support/dying.ts";
import { captureLog } from "../../support/log.ts";
import { newKey, type OwnKey } from "../../support/own-keys.ts";
import { configOfKeys, FLAT, pushing, realised, signersOf, TRACE } from "../../support/realisations.ts";
import { inCatalog, publishPath, reindex, resign } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const [OLD, NEW, BUILDER] = (await Promise.all(["old-1", "new-1", "builder-1"].map(newKey))) as [
  OwnKey,
  OwnKey,
  OwnKey,
];
const KEYS = [OLD, NEW, BUILDER];
const DEPENDENCIES = { dependentRealisations: [[`sha256:${"b".repeat(64)}!out`, `${"2".repeat(32)}-x`]] } as {
  dependentRealisations: [string, string][];
};
const FLATS = Array.from({ length: 3 }, (_, n) => `realisations/sha256:${String(n).repeat(64)}!out.doi`);

let outPath: string;
beforeEach(async () => {
  const path = await testPath("first");
  outPath = baseNameOf(path);
  await publishPath(path);
  await inCatalog((c) => reindex(c));
  // The narinfo needs nothing.
  await resigning(configOfKeys([OLD, NEW]));
});

function resigning(config: Config, options: ResignOptions = {}, interference = {}) {
  return recorded((c) => resign(c, options), interference, { config });
}

async function pushBoth(config: Config): Promise<void> {
  for (const key of [FLAT, TRACE]) await pushing(await realised(outPath, [BUILDER], {}, key), config);
}

describe("every realisation", () => {
  test("is signed by a new key, with one read and one write, and dropped from the edge", async () => {
    await pushBoth(configOfKeys([OLD]));
    const { result, operations, billed, purged } = await resigning(configOfKeys([NEW, OLD]));
    expect(result).toMatchObject({
      done: true,
      realisations: 2,
      resigned_realisations: 2,
      unreadable_realisations: { count: 0 },
    });
    for (const key of [FLAT, TRACE])
      expect(await signersOf(KEYS, key)).toEqual(["builder-1", "new-1", "old-1"]);
    expect(billed).toEqual({ A: 4, B: 2 });
    expect(operations.filter((each) => each.startsWith("put"))).toEqual([`put ${TRACE}`, `put ${FLAT}`]);
    expect(purged).toEqual([[`/${TRACE}`], [`/${FLAT}`]]);
    const again = await resigning(configOfKeys([NEW, OLD]));
    expect([again.billed, again.result]).toEqual([
      { A: 2, B: 2 },
      expect.objectContaining({ resigned_realisations: 0 }),
    ]);
  });

  test("loses the signatures of a dropped key, and keeps those of others", async () => {
    await pushBoth(configOfKeys([OLD, NEW]));
    const { result } = await resigning(configOfKeys([NEW]), { drop: "old-1" });
    expect(result).toMatchObject({ resigned_realisations: 2 });
    for (const key of [FLAT, TRACE]) expect(await signersOf(KEYS, key)).toEqual(["builder-1", "new-1"]);
  });

  test("loses dependent realisations where it is signed", async () => {
    await pushing(await realised(outPath, [], DEPENDENCIES), configOfKeys([]));
    await resigning(configOfKeys([NEW]));
    expect(await signersOf(KEYS)).toEqual(["new-1"]);
  });
});

describe("with trusted keys, a resign signs", () => {
  const trusting = (...signing: OwnKey[]) => configOfKeys(signing, [BUILDER]);

  test("what a trusted key has signed, also where the cache has taken out dependent realisations", async () => {
    await pushing(await realised(outPath, [BUILDER], DEPENDENCIES), trusting(OLD));
    expect(await signersOf(KEYS)).toEqual(["builder-1?", "old-1"]);
    await resigning(trusting(NEW), { drop: "old-1" });
    expect(await signersOf(KEYS)).toEqual(["builder-1?", "new-1"]);
  });

  test("nothing else, and leaves what is there", async () => {
    await pushing(await realised(outPath), configOfKeys([OLD]));
    const { result } = await resigning(trusting(NEW));
    expect(result).toMatchObject({ realisations: 1, resigned_realisations: 0 });
    expect(await signersOf(KEYS)).toEqual(["old-1"]);
    await resigning(trusting(NEW), { drop: "old-1" });
    expect(await signersOf(KEYS)).toEqual([]);
  });
});

describe("a resign", () => {
  test("passes by and names what it cannot read, and what is no realisation is not even read", async () => {
    await env.BUCKET.put(FLAT, "nonsense");
    await env.BUCKET.put("realisations/README", "of another tool");
    const { result, operations } = await resigning(configOfKeys([NEW, OLD]));
    expect(result).toMatchObject({
      done: true,
      realisations: 1,
      unreadable_realisations: { count: 1, first: [{ name: FLAT }] },
    });
    expect(operations).not.toContain("get realisations/README");
  });

  test("overwrites nothing that has changed meanwhile", async () => {
    await pushing(await realised(outPath), configOfKeys([OLD]));
    const other = await realised(outPath, [BUILDER]);
    const { result } = await resigning(
      configOfKeys([NEW]),
      {},
      meanwhile(
        (operation) => isPut(operation) && operation.key === FLAT,
        () => env.BUCKET.put(FLAT, other.text),
      ),
    );
    expect(result).toMatchObject({ done: true, unreadable_realisations: { count: 1 } });
    expect(await signersOf(KEYS)).toEqual(["builder-1"]);
  });

  test("goes on where a failing bucket has stopped it", async () => {
    for (const key of FLATS) await env.BUCKET.put(key, textOf(key));
    const config = configOfKeys([NEW, OLD]);
    const broken = failing((operation) => isPut(operation) && operation.key === FLATS[1]);
    const stopped = await recorded(
      async (c) => {
        await requestRun(c, RESIGN, {});
        return RESIGN.status(c);
      },
      broken,
      { config },
    );
    expect(stopped.result).toMatchObject({ done: false, phase: "realisations", problem: expect.any(String) });
    const { result, purged } = await resigning(config);
    expect(result).toMatchObject({ done: true, realisations: 3, resigned_realisations: 3 });
    expect(new Set(purged.flat())).toEqual(new Set(FLATS.map((key) => `/${key}`)));
    for (const key of FLATS) expect(await signersOf(KEYS, key)).toEqual(["new-1", "old-1"]);
  });

  test.each(["before", "after"] as const)("that dies %s any operation comes to its end", async (when) => {
    for (const key of [...FLATS, FLAT]) await env.BUCKET.put(key, textOf(key));
    const config = configOfKeys([NEW, OLD]);
    const died = await inCatalog((c) => runDyingAtEveryOperation({ ...c, config }, RESIGN, {}, when));
    expect(died).toBeGreaterThan(4);
    for (const key of FLATS) expect(await signersOf(KEYS, key)).toEqual(["new-1", "old-1"]);
  });

  test("whose keys change in its second phase begins again with the narinfos", async () => {
    for (const key of FLATS) await env.BUCKET.put(key, textOf(key));
    const broken = failing((operation) => isPut(operation) && operation.key === FLATS[1]);
    await recorded((c) => requestRun(c, RESIGN, {}), broken, { config: configOfKeys([NEW, OLD]) });
    const { result } = await resigning(configOfKeys([OLD]));
    expect(result).toMatchObject({ done: true, keys: ["old-1"], paths: 1, realisations: 3 });
    for (const key of FLATS) expect(await signersOf(KEYS, key)).toContain("old-1");
  });

  test("walks every page of both folders", async () => {
    for (const key of [...FLATS, FLAT]) await env.BUCKET.put(key, textOf(key));
    await env.BUCKET.put(TRACE, JSON.stringify({ outPath, signatures: [] }));
    const report = await inCatalog((c) =>
      resign({ ...c, bucket: inSmallPages(c.bucket, 2), config: configOfKeys([NEW, OLD]) }),
    );
    expect(report).toMatchObject({ realisations: 5, resigned_realisations: 5 });
  });
});

function textOf(key: string): string {
  const id = key.slice("realisations/".length, -".doi".length);
  return JSON.stringify({ id, outPath, signatures: [] });
}
