/** Deletions that fail or get no answer: they have happened for the catalog, and are finished later. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { failing, isDelete, losingAnswers, losingRequests } from "../../support/bucket.ts";
import { keys } from "../../support/cache.ts";
import { deleting, publishing, recorded, rowsOf, served, storeNar } from "../../support/catalog.ts";
import { closure, hashOf, publishClosure, purgedWith } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { later, NAR_GRACE_MS, publishPath } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("a deletion that was interrupted", () => {
  it.each([
    ["failed", failing],
    ["got no answer", losingAnswers],
  ] as const)(
    "because it %s has happened for the catalog, and is finished later",
    async (_, interference) => {
      const { packed } = await publishClosure();
      expect((await deleting(packed, false, interference(isDelete))).result).toMatchObject({ status: 503 });
      expect(await rowsOf("SELECT * FROM paths WHERE hash = ?", hashOf(packed))).toEqual([]);
      const { purged } = await recorded((c) => resolveExpired(c), {}, later());
      expect(purged).toEqual([purgedWith(packed)]);
      expect(await served(packed)).toBeUndefined();
      expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
    },
  );

  it("is finished, and all that it could still do awaited, before the path is published again", async () => {
    const { packed } = await publishClosure();
    await deleting(packed, false, losingAnswers(isDelete));
    const { result, operations, waited } = await publishing(packed.text);
    expect(result).toBe("created");
    expect(operations[0]).toBe(`delete ${packed.key}`);
    expect(waited).toEqual([expect.closeTo(30_000, -3)]);
    expect(await served(packed)).toBe(packed.text);
  });

  it("is finished at once where the bucket has said that it failed", async () => {
    const { packed } = await publishClosure();
    await deleting(packed, false, failing(isDelete));
    const { result, operations, waited } = await publishing(packed.text);
    expect(result).toBe("created");
    expect(operations[0]).toBe(`delete ${packed.key}`);
    expect(waited).toEqual([]);
  });

  it.each([
    ["failed", failing(isDelete)],
    ["never arrived", losingRequests(isDelete)],
  ])("because it %s does not let others refer to the path any more", async (_, interference) => {
    const { library, app } = await closure();
    await publishPath(library);
    await deleting(library, false, interference);
    expect(await served(library)).toBe(library.text);
    await storeNar(app);
    expect((await publishing(app.text)).result).toMatchObject({ status: 409 });
    expect((await deleting(library)).result).toMatchObject({ status: 404 });
  });

  it("keeps the NAR until its grace period has passed after the narinfo has really gone", async () => {
    const path = await testPath();
    await publishPath(path);
    await deleting(path, false, failing(isDelete));
    const day = later(2 * NAR_GRACE_MS);
    // As long as the narinfo cannot be deleted, its NAR is not.
    const broken = failing((operation) => isDelete(operation) && operation.key === path.key);
    expect((await recorded((c) => sweepNars(c), broken, day)).result).toMatchObject({ deletedNars: 0 });
    expect(await keys()).toEqual([path.key, path.narKey]);
    expect((await recorded((c) => sweepNars(c), {}, day)).result).toMatchObject({ deletedNars: 0 });
    expect(await keys()).toEqual([path.narKey]);
    const laterStill = later(3 * NAR_GRACE_MS + 1000);
    expect((await recorded((c) => sweepNars(c), {}, laterStill)).result).toMatchObject({ deletedNars: 1 });
    expect(await keys()).toEqual([]);
  });
});
