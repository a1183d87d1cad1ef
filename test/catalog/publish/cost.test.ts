// What a push writes into the catalog: rows are what the platform counts, limits and bills (README, "Costs";
// bench/cost.ts).
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it } from "vitest";
import { INLINE_FILE_BYTES } from "../../../src/catalog/facts/learn.ts";
import { metered } from "../../../src/catalog/meter.ts";
import { announceNar, touchNar } from "../../../src/catalog/publish/announce-nar.ts";
import { touchPath } from "../../../src/catalog/publish/last-use.ts";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { publishRealisation } from "../../../src/catalog/publish/realisation.ts";
import { newestQueued } from "../../../src/catalog/rows/nar-queue.ts";
import { verifyNar } from "../../../src/catalog/verify/verify.ts";
import { baseNameOf, hashOf } from "../../support/closure.ts";
import { realised } from "../../support/realisations.ts";
import { inCatalog, publishPath } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

const ROWS = 10;
const ROWS_OF_A_REFERENCE = 2;
/** The entry of a NAR that is not read at once in the index of the queue. */
const ROWS_OF_THE_QUEUE = 1;
/** An attempt that begins and one that ends, the facts, and a NAR that leaves the queue. */
const ROWS_OF_A_READING = 4;

afterEach(() => reset());

it.each([0, 1, 5])("of a path with %d references", async (count) => {
  const references = await Promise.all(Array.from({ length: count }, (_, index) => testPath(`lib-${index}`)));
  for (const reference of references) await publishPath(reference);
  const path = await testPath("app-1.0", undefined, {
    references: references.map(baseNameOf),
    deriver: `${"0".repeat(32)}-app-1.0.drv`,
  });
  expect(await rowsWritten(path)).toBe(ROWS + ROWS_OF_A_REFERENCE * count);
});

it("of a path whose NAR is read later", async () => {
  const path = await testPath("app-1.0", "x".repeat(INLINE_FILE_BYTES), {
    deriver: `${"0".repeat(32)}-app-1.0.drv`,
  });
  expect(await rowsWritten(path)).toBe(ROWS + ROWS_OF_THE_QUEUE);
  await inCatalog(async (c) => {
    const queued = newestQueued(c);
    if (queued === undefined) throw new Error("nothing is queued");
    const { context, spent } = metered(c);
    await verifyNar(context, queued, 16 * 1024 * 1024);
    expect(newestQueued(c)).toBeUndefined();
    expect(spent()).toMatchObject({ rows_written: ROWS_OF_A_READING, class_a: 0, class_b: 1 });
  });
});

/** By the four requests of Nix. */
async function rowsWritten(path: TestPath): Promise<number> {
  return await inCatalog(async (c) => {
    const { context, spent } = metered(c);
    await touchPath(context, hashOf(path));
    await touchNar(context, path.narKey);
    await announceNar(context, { key: path.narKey, size: path.nar.length, sha256: "" });
    await env.BUCKET.put(path.narKey, path.nar);
    await publish(context, path.text, "PUSH_TOKEN");
    return spent().rows_written;
  });
}

it("of a realisation: its row in `companions` and in that table's index, once", async () => {
  const path = await testPath();
  await publishPath(path);
  const { key, text } = await realised(baseNameOf(path));
  for (const expected of [2, 0]) {
    const written = await inCatalog(async (c) => {
      const { context, spent } = metered(c);
      await publishRealisation(context, key, text, "PUSH_TOKEN");
      return spent().rows_written;
    });
    expect(written).toBe(expected);
  }
});
