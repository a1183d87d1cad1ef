// The alarm: releasing a NAR sets it for the end of the grace period, and nothing postpones it.
// @module-tag slow
import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { losingAnswers } from "../support/bucket.ts";
import { publishing } from "../support/catalog.ts";
import { hashOf, withInfo } from "../support/closure.ts";
import { captureLog } from "../support/log.ts";
import { catalog, forgetAlarm, inCatalog, NAR_GRACE_MS, publishPath, value } from "../support/runs.ts";
import { type TestPath, testPath } from "../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const alarm = () => runInDurableObject(catalog(), (_, { storage }) => storage.getAlarm());
/** At the end of the grace period, or before: every alarm sets the next one for what waits then. */
async function expectInGrace(): Promise<void> {
  expect(await alarm()).toBeGreaterThan(0);
  expect(await alarm()).toBeLessThan(Date.now() + NAR_GRACE_MS + 10_000);
}

/** A path that has been healed by another build, without an answer of the bucket: its row still has the old NAR. */
async function halfHealed(): Promise<TestPath> {
  const [broken, whole] = [await testPath(), await testPath("hello-1.0", "another build")];
  await publishPath(broken);
  await env.BUCKET.put(broken.narKey, "damaged");
  await env.BUCKET.put(whole.narKey, whole.nar, {
    sha256: await crypto.subtle.digest("SHA-256", whole.nar),
  });
  const lost = losingAnswers(({ name, key }) => name === "put" && key === broken.key);
  expect((await publishing(whole.text, lost)).result).toMatchObject({ status: 503 });
  await forgetAlarm();
  return whole;
}

/** Another path with the same NAR. */
async function sharing(path: TestPath): Promise<TestPath> {
  const other = await testPath("other-1.0");
  const { url, narHash, narSize } = path.info;
  const { fileHash = narHash, fileSize = narSize } = path.info;
  return {
    ...withInfo(other, { url, narHash, narSize, fileHash, fileSize }),
    nar: path.nar,
    narKey: path.narKey,
  };
}

describe("a NAR that is released by what settles a publication without an answer is swept in time, when it is", () => {
  it("a pusher who looks for the path", async () => {
    await value(catalog().touchPath(hashOf(await halfHealed())));
    await expectInGrace();
  });

  it("a push of the path", async () => {
    const { text } = await halfHealed();
    expect(await value(catalog().publish(text, "tester"))).toBe("unchanged");
    await expectInGrace();
  });
});

describe("the alarm", () => {
  it("that was set in a transaction that failed is not remembered", async () => {
    await value(catalog().reindex({}));
    await inCatalog((_, { storage }) => storage.deleteAlarm());
    await evictDurableObject(catalog());
    await inCatalog((c) => {
      const failing = () => {
        c.wakeForSweep();
        throw new Error("Exceeded allowed rows written");
      };
      expect(() => c.transaction(failing)).toThrow("Exceeded");
      c.wakeForSweep();
    });
    expect(await alarm()).not.toBeNull();
  });

  it("is not set where a deletion releases no NAR", async () => {
    const path = await testPath();
    await value(catalog().reindex({}));
    await inCatalog((_, { storage }) => storage.deleteAlarm());
    await evictDurableObject(catalog());
    for (const one of [path, await sharing(path)]) await publishPath(one);
    await forgetAlarm();
    await value(catalog().deletePath(hashOf(path), false));
    expect(await alarm()).toBeNull();
  });

  it.each([
    ["stays where it is earlier", 3600_000, 3600_000],
    ["comes earlier where it is later", 2 * NAR_GRACE_MS, NAR_GRACE_MS],
  ])("%s, also for a process that has not set it", async (_, before, after) => {
    const path = await testPath();
    await publishPath(path);
    await value(catalog().reindex({}));
    await inCatalog((_, { storage }) => storage.setAlarm(Date.now() + before));
    await evictDurableObject(catalog());
    await value(catalog().deletePath(hashOf(path), false));
    expect(await alarm()).toEqual(expect.closeTo(Date.now() + after, -4));
  });
});
