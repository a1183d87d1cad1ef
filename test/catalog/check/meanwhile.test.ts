/** Checks while paths are pushed and deleted: nothing of it is taken for damage. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { inSmallPages } from "../../support/bucket.ts";
import { baseNameOf, publishClosure, storeClosure } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { check, inCatalog, namesOf, reindex, rows, storePath } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";
import { during, EVENTS, uploadNew } from "./meanwhile.ts";

captureLog();
afterEach(() => reset());

describe("what happens during a check", () => {
  it.each([...EVENTS, ["a NAR is uploaded", (c: CatalogContext) => uploadNew(c)] as const])(
    "is no finding, and not undone by a repair: at any operation %s",
    async (_, event) => {
      for (let at = 0; ; at++) {
        await reset();
        const paths = await publishClosure();
        // Something to look at closely, for operations besides the listing.
        const odd = await testPath("odd-1.0");
        await storePath(odd);
        const { happened, result, found } = await inCatalog((c) =>
          during(
            c,
            at,
            () => event(c, paths),
            (c) => check(c, { repair: true }),
          ),
        );
        expect({ at, names: namesOf(result) }).toEqual({
          at,
          names: { "unindexed-narinfo": [baseNameOf(odd)] },
        });
        const again = await inCatalog(async (c) => ({ report: await check(c), rows: rows(c) }));
        expect({ at, names: namesOf(again.report) }).toEqual({ at, names: {} });
        expect({ at, rows: found }).toEqual({ at, rows: again.rows });
        if (!happened) break;
      }
    },
    60_000,
  );

  it("goes on beside a reindex", async () => {
    await storeClosure();
    await inCatalog(async (c) => {
      const small = { ...c, bucket: inSmallPages(c.bucket, 1) };
      await Promise.all([check(small), reindex(small)]);
    });
    expect(namesOf(await inCatalog((c) => check(c)))).toEqual({});
  });
});
