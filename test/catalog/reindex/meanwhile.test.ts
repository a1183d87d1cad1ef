/** Reindexing while paths are published and deleted: none of it is lost. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { type Operation, watch } from "../../support/bucket.ts";
import { closure, publishClosure, storeClosure } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog, later, NAR_GRACE_MS, reindex, rows, storePath, wipe } from "../../support/runs.ts";
import { during, EVENTS } from "../check/meanwhile.ts";

captureLog();
afterEach(() => reset());

describe("what happens during a reindex", () => {
  it.each(EVENTS)(
    "is known when it is over: at any of its operations, %s",
    async (_, event) => {
      for (const known of [true, false]) {
        for (let at = 0; ; at++) {
          await reset();
          const paths = await (known ? publishClosure() : storeClosure());
          const { happened, found } = await inCatalog((c) => during(c, at, () => event(c, paths), reindex));
          const again = await inCatalog(async (c) => ({ report: await reindex(c), rows: rows(c) }));
          expect({ at, known, ...again.report }).toMatchObject({ at, known, indexed: 0, removed: 0 });
          expect({ at, known, rows: found }).toEqual({ at, known, rows: again.rows });
          if (!happened) break;
        }
      }
    },
    60_000,
  );

  it("does not keep a publication from finding what is being indexed", async () => {
    const { library, app } = await closure();
    await storePath(library);
    await inCatalog(async (c) => {
      let published: Promise<unknown> | undefined;
      const before = async ({ name }: Operation) => {
        if (name !== "get" || published !== undefined) return;
        // The library's lock is held by the reindex here.
        await c.bucket.put(app.narKey, app.nar);
        published = publish(c, app.text, "meanwhile");
        await published;
      };
      await reindex({ ...c, bucket: watch(c.bucket, { before }).bucket });
      expect(await published).toBe("created");
    });
  });

  it("never deletes what a catalog that knows nothing yet would let go", async () => {
    const { library, app } = await publishClosure();
    await wipe();
    await inCatalog((c) => reindex(c), later(2 * NAR_GRACE_MS));
    await inCatalog((c) => sweepNars(c), later(4 * NAR_GRACE_MS));
    for (const key of [library.narKey, app.narKey]) expect(await env.BUCKET.head(key)).not.toBeNull();
  });
});
