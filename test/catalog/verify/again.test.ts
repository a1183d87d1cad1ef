// Pushes while a NAR is queued: of the same path again and again, and of another path with the same NAR.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { announceNar, touchNar } from "../../../src/catalog/publish/announce-nar.ts";
import { factsOf } from "../../../src/catalog/rows/nar-facts.ts";
import { dequeueNar, newestQueued } from "../../../src/catalog/rows/nar-queue.ts";
import { settlePublications } from "../../../src/catalog/rows/publications.ts";
import { sweepableNars } from "../../../src/catalog/rows/released.ts";
import { verifyQueued } from "../../../src/catalog/verify/queue.ts";
import { largePath, withNarOf } from "../../support/lies.ts";
import { captureLog } from "../../support/log.ts";
import { pushAgain, pushTo } from "../../support/pushing.ts";
import { inCatalog, later, NAR_GRACE_MS } from "../../support/runs.ts";

captureLog();
afterEach(reset);

const SECOND_MS = 1000;

describe("the path of a queued NAR, pushed again", () => {
  it("every second, is read as soon as if it had been pushed once", async () => {
    const lie = withNarOf(await largePath("a"), await largePath("b"));
    await inCatalog((c) => pushTo(c, lie));
    let served = 0;
    for (let second = 1; second <= 40; second++) {
      await inCatalog(
        async (c) => {
          if ((await env.BUCKET.head(lie.key)) === null) return;
          served = second;
          await pushAgain(c, lie);
          await verifyQueued(c);
        },
        { ...later(second * SECOND_MS), isBusy: () => true },
      );
    }
    expect(served).toBeLessThan(25);
  });

  it("while it is read, is read once more", async () => {
    const path = await largePath("a");
    await inCatalog(async (c) => {
      await pushTo(c, path);
      settlePublications(c);
      const before = newestQueued(c);
      await pushAgain(c, path);
      dequeueNar(c, path.narKey, before?.queued ?? 0);
      expect(newestQueued(c)?.key).toBe(path.narKey);
    });
  });
});

describe("the NAR of a false path, on which an honest pusher relies for another path", () => {
  it.each(["announces", "looks for"])("stays where he %s it after the lie", async (how) => {
    const honest = await largePath("h");
    const lie = withNarOf(await largePath("a"), honest);
    await inCatalog((c) => pushTo(c, lie));
    await inCatalog(
      (c) =>
        how === "announces"
          ? announceNar(c, { key: honest.narKey, size: honest.nar.length })
          : touchNar(c, honest.narKey),
      later(SECOND_MS),
    );
    await inCatalog((c) => verifyQueued(c), { ...later(60 * SECOND_MS), isBusy: () => false });
    expect(await env.BUCKET.head(lie.key)).toBeNull();
    expect(await env.BUCKET.head(honest.narKey)).not.toBeNull();

    const swept = (ms: number) => inCatalog((c) => sweepableNars(c, c.now() - NAR_GRACE_MS, 10), later(ms));
    expect(await swept(NAR_GRACE_MS)).toEqual([]);
    expect(await swept(2 * NAR_GRACE_MS)).toEqual([honest.narKey]);
    expect(await inCatalog((c) => pushAgain(c, honest))).toBe("created");
    // It has been read.
    expect(await inCatalog((c) => factsOf(c, honest.narKey)?.facts)).toMatchObject({ zstd: { kind: "nar" } });
    expect(await swept(2 * NAR_GRACE_MS)).toEqual([]);
  });

  it("goes with the lie where he came before", async () => {
    const honest = await largePath("h");
    const lie = withNarOf(await largePath("a"), honest);
    await inCatalog((c) => announceNar(c, { key: honest.narKey, size: honest.nar.length }));
    await inCatalog((c) => pushTo(c, lie));
    await inCatalog((c) => verifyQueued(c), { ...later(60 * SECOND_MS), isBusy: () => false });
    expect(await env.BUCKET.head(honest.narKey)).toBeNull();
  });
});
