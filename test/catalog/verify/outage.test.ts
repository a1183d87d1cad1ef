// A bucket that fails while NARs are verified: one that cannot be read does not hold up the others.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it } from "vitest";
import { newestQueued } from "../../../src/catalog/rows/nar-queue.ts";
import { verifyQueued } from "../../../src/catalog/verify/queue.ts";
import { failing, type WatchedBucket, watch } from "../../support/bucket.ts";
import { largePath, withNarOf } from "../../support/lies.ts";
import { captureLog } from "../../support/log.ts";
import { pushTo } from "../../support/pushing.ts";
import { inCatalog } from "../../support/runs.ts";
import type { TestPath } from "../../support/store-paths.ts";
import { QUIET } from "../../support/verifying.ts";

captureLog();
afterEach(reset);

/** One alarm, in which the bucket does not give these NARs. */
async function alarm(broken: readonly TestPath[]): Promise<{ outcome: unknown; gets: readonly string[] }> {
  return await inCatalog(async (c) => {
    const keys = broken.map(({ narKey }) => narKey);
    const watched: WatchedBucket = watch(
      c.bucket,
      failing(({ name, key }) => name === "get" && keys.includes(key)),
    );
    const outcome = await verifyQueued({ ...c, bucket: watched.bucket }).catch((error: unknown) => error);
    const gets = watched.operations.filter(({ name }) => name === "get").map(({ key }) => key);
    return { outcome, gets };
  }, QUIET);
}

it("reads the older ones although the newest fails, and reports the failure", async () => {
  const lie = withNarOf(await largePath("a"), await largePath("b"));
  const broken = await largePath("c");
  await inCatalog(async (c) => {
    await pushTo(c, lie);
    await pushTo(c, broken);
  });
  const { outcome } = await alarm([broken]);
  expect(outcome).toBeInstanceOf(Error);
  expect(await env.BUCKET.head(lie.key)).toBeNull();
  expect(await inCatalog((c) => newestQueued(c)?.key)).toBe(broken.narKey);
  expect((await alarm([])).outcome).toBeUndefined();
});

it("is left alone after three failures, and the next alarm begins with the others", async () => {
  const paths = await Promise.all(["a", "b", "c", "d", "e"].map((name) => largePath(name)));
  await inCatalog(async (c) => {
    for (const path of paths) await pushTo(c, path);
  });
  const [a, b, c, d, e] = paths.map(({ narKey }) => narKey);
  expect(await alarm(paths)).toEqual({ outcome: expect.any(Error), gets: [e, d, c] });
  expect((await alarm(paths)).gets).toEqual([b, a, e]);
});

it("is asked once for a NAR in one alarm", async () => {
  const path = await largePath("a");
  await inCatalog((c) => pushTo(c, path));
  expect((await alarm([path])).gets).toEqual([path.narKey]);
});
