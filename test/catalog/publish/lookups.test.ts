/** Looking for a path in the bucket while it is deleted or published: the read may be outdated. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { announceNar } from "../../../src/catalog/publish/announce-nar.ts";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { failing, isDelete } from "../../support/bucket.ts";
import { deleting, publishing, type Recorded, recorded, rowsOf, storeNar } from "../../support/catalog.ts";
import { closure, hashOf } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog, publishPath } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("what happens while a path is looked for in the bucket", () => {
  it("and deleted: it is not taken for one that is here", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await storeNar(app);
    await deleting(library, false, failing(isDelete));
    // The deletion is settled while the narinfo, read just before, is on its way.
    const { result } = await recorded((c) =>
      publishing(app.text, {
        after: async ({ name, key }) => {
          if (name === "get" && key === library.key) await resolveExpired(c);
        },
      }).then(({ result }) => result),
    );
    expect(result).toMatchObject({ status: 409 });
    expect(await rowsOf("SELECT * FROM paths")).toEqual([]);
  });

  it("and found, while a deletion comes to its end: it is not taken for one that is here", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await storeNar(app);
    const [isRead, isDeleted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let publication: Promise<Recorded<string>> | undefined;
    await deleting(library, false, {
      before: async (operation) => {
        if (!isDelete(operation)) return;
        publication = publishing(app.text, {
          after: async ({ name, key }) => {
            if (name !== "get" || key !== library.key) return;
            isRead.resolve();
            await isDeleted.promise;
          },
        });
        await isRead.promise;
      },
    });
    isDeleted.resolve();
    expect(await publication).toMatchObject({ result: { status: 409 } });
    expect(await rowsOf("SELECT * FROM paths")).toEqual([]);
  });

  it("and published anew: what was read does not replace what is newer", async () => {
    const { library, app } = await closure();
    await env.BUCKET.put(library.key, library.text);
    for (const path of [library, app]) await storeNar(path);
    await env.BUCKET.delete(library.narKey);
    const healed = await testPath("library-1.0", "another build");
    await inCatalog((c) => announceNar(c, { key: healed.narKey, size: healed.nar.length }));
    await storeNar(healed);
    await recorded((c) =>
      publishing(app.text, {
        after: async ({ name, key }) => {
          if (name === "get" && key === library.key) await publish(c, healed.text, "tester");
        },
      }).then(({ result }) => expect(result).toBe("created")),
    );
    expect(await rowsOf("SELECT nar FROM paths WHERE hash = ?", hashOf(library))).toEqual([
      { nar: healed.narKey },
    ]);
    expect(await rowsOf("SELECT released FROM nars WHERE key = ?", healed.narKey)).toEqual([
      { released: null },
    ]);
  });
});
