// Pushes while a NAR is queued: of the same path again and again.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { newestQueued, unqueueNar } from "../../../src/catalog/rows/nars.ts";
import { verifyQueued } from "../../../src/catalog/verify/queue.ts";
import { largePath, withNarOf } from "../../support/lies.ts";
import { captureLog } from "../../support/log.ts";
import { pushAgain, pushTo } from "../../support/pushing.ts";
import { inCatalog, later } from "../../support/runs.ts";

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
      const before = newestQueued(c);
      await pushAgain(c, path);
      unqueueNar(c, path.narKey, before?.queued ?? 0);
      expect(newestQueued(c)?.key).toBe(path.narKey);
    });
  });
});
