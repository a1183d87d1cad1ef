// What a push reads and writes in the catalog: rows are what the platform counts, limits and bills.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { INLINE_FILE_BYTES } from "../../../src/catalog/facts/learn.ts";
import { metered } from "../../../src/catalog/meter.ts";
import { announceNar } from "../../../src/catalog/publish/announce-nar.ts";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { publishRealisation } from "../../../src/catalog/publish/realisation.ts";
import { indexPath } from "../../../src/catalog/rows/index-path.ts";
import { newestQueued } from "../../../src/catalog/rows/nar-queue.ts";
import { settlePublications } from "../../../src/catalog/rows/publications.ts";
import { verifyNar } from "../../../src/catalog/verify/verify.ts";
import { parseConfig } from "../../../src/config/config.ts";
import type { Env } from "../../../src/env.ts";
import { baseNameOf } from "../../support/closure.ts";
import { realised } from "../../support/realisations.ts";
import { inUnsettled, publishPath } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

const ROWS = 6;
const ROWS_OF_A_REFERENCE = 1;
const READS = 20;
const READS_OF_A_REFERENCE = 2;
/** By the next alarm: the row of the NAR, the end of the publication; where the NAR is to be read, an entry of the queue. */
const ROWS_OF_SETTLING = 2;
const ROWS_OF_THE_QUEUE = 1;
/** An attempt that begins, the facts with its end, and a NAR that leaves the queue. */
const ROWS_OF_A_READING = 3;

const DERIVER = `${"0".repeat(32)}-app-1.0.drv`;
const COLLECTING = { ...env, CACHES: '{"nix-cache": {"retention_days": 30}}' };

afterEach(() => reset());

describe.each<[string, Partial<Env>]>([
  ["any cache", {}],
  ["a cache that collects", COLLECTING],
])("the push of a new path to %s", (_, variables) => {
  it.each([0, 1, 5, 200])("with %d references", async (count) => {
    const references = await Promise.all(
      Array.from({ length: count }, (_, index) => testPath(`lib-${index}`, "lib")),
    );
    await inUnsettled((c) => {
      for (const reference of references) indexTestPath(c, reference);
    });
    const path = await testPath("app-1.0", undefined, {
      references: references.map(baseNameOf),
      deriver: DERIVER,
    });
    const { written, read } = await push(path, variables);
    expect(written).toBe(ROWS + ROWS_OF_A_REFERENCE * count);
    expect(read).toBeLessThanOrEqual(READS + READS_OF_A_REFERENCE * count);
    expect(await settling()).toBe(ROWS_OF_SETTLING);
  });

  it("whose NAR is read later", async () => {
    const path = await testPath("app-1.0", "x".repeat(INLINE_FILE_BYTES), { deriver: DERIVER });
    const { written, read } = await push(path, variables);
    expect(written).toBe(ROWS);
    expect(read).toBeLessThanOrEqual(READS);
    expect(await settling()).toBe(ROWS_OF_SETTLING + ROWS_OF_THE_QUEUE);
    await inUnsettled(async (c) => {
      const queued = newestQueued(c);
      if (queued === undefined) throw new Error("nothing is queued");
      const { context, spent } = metered(c);
      await verifyNar(context, queued, 16 * 1024 * 1024);
      expect(newestQueued(c)).toBeUndefined();
      expect(spent()).toMatchObject({ rows_written: ROWS_OF_A_READING, class_a: 0, class_b: 1 });
    });
  });

  it("beside others", async () => {
    const paths = await Promise.all(
      Array.from({ length: 30 }, (_, index) => testPath(`p-${index}`, `${index}`)),
    );
    const costs = await Promise.all(paths.map((path) => push(path, variables)));
    for (const { written, read } of costs) {
      expect(written).toBe(ROWS);
      expect(read).toBeLessThanOrEqual(READS);
    }
    expect(await settling()).toBe(ROWS_OF_SETTLING * paths.length);
  });
});

it("a push sets the alarm once, which counts as a row, however many paths it has", async () => {
  const paths = await Promise.all(
    Array.from({ length: 10 }, (_, index) => testPath(`p-${index}`, `${index}`)),
  );
  for (const path of paths) await env.BUCKET.put(path.narKey, path.nar);
  const alarms = await inUnsettled(async (c, { storage }) => {
    const spy = vi.spyOn(storage, "setAlarm");
    await Promise.all(paths.map(({ text }) => publish(c, text, "PUSH_TOKEN")));
    return spy.mock.calls.length;
  });
  expect(alarms).toBe(1);
});

it("the push of a path that is here already writes no row of its NAR", async () => {
  const path = await testPath("app-1.0", undefined, { deriver: DERIVER });
  await push(path);
  await settling();
  const { written } = await push(path);
  // The NAR's announcement, the publication and its end, the path.
  expect(written).toBeLessThanOrEqual(ROWS);
});

/** By the requests of Nix; it has found neither narinfo nor NAR. */
async function push(path: TestPath, variables: Partial<Env> = {}) {
  return await inUnsettled(async (c) => {
    const config = parseConfig({ ...env, ...variables } as Env);
    const { context, spent } = metered({ ...c, config });
    await announceNar(context, { key: path.narKey, size: path.nar.length, sha256: "" });
    await env.BUCKET.put(path.narKey, path.nar);
    await publish(context, path.text, "PUSH_TOKEN");
    const { rows_written: written, rows_read: read } = spent();
    return { written, read };
  });
}

/** Rows that the next alarm writes, before it reads any NAR. */
function settling(): Promise<number> {
  return inUnsettled((c) => {
    const { context, spent } = metered(c);
    settlePublications(context);
    return spent().rows_written;
  });
}

function indexTestPath(c: CatalogContext, { info, text }: TestPath): void {
  c.transaction(() => indexPath(c, { info, text, etag: "e", uploaded: 1, firstPush: 1, pushedBy: "tester" }));
}

it("of a realisation: its row in `companions` and in that table's index, once", async () => {
  const path = await testPath();
  await publishPath(path);
  const { key, text } = await realised(baseNameOf(path));
  for (const expected of [2, 0]) {
    const written = await inUnsettled(async (c) => {
      const { context, spent } = metered(c);
      await publishRealisation(context, key, text, "PUSH_TOKEN");
      return spent().rows_written;
    });
    expect(written).toBe(expected);
  }
});
