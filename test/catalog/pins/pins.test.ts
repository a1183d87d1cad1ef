// Pins: which paths they keep, how long, and that they survive faults of the catalog or the bucket.
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { deletePin, getPin, listPins, putPin, writePins } from "../../../src/catalog/pins/pins.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { failing, losingAnswers } from "../../support/bucket.ts";
import { keys } from "../../support/cache.ts";
import { deleting, recorded } from "../../support/catalog.ts";
import { baseNameOf, hashOf, publishClosure } from "../../support/closure.ts";
import { beginRetention, collectAfter, daysLater, pinPath } from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { check, inCatalog, namesOf, publishPath, reindex, storePath } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const MONTH = { retention_days: 30 };
const requestOf = ({ info: { storePath } }: TestPath) => ({ hash: storePath.hash, name: storePath.name });
const isPut = ({ name }: { name: string }) => name === "put";

async function three(): Promise<TestPath[]> {
  const paths = await Promise.all(["one", "two", "three"].map((name) => testPath(name, name)));
  for (const path of paths) await publishPath(path);
  return paths;
}

function kept(name: string, days: number): Promise<string[]> {
  return inCatalog(
    (c) => getPin(c, name, { limit: 50 }).revisions.map(({ store_path }) => store_path.slice(44)),
    daysLater(days, {}),
  );
}

describe("revisions", () => {
  it.each<[string, { keepRevisions?: number; keepDays?: number }, number, string[]]>([
    ["neither: a hundred", {}, 1000, ["three", "two", "one"]],
    ["keep_revisions = 2: two", { keepRevisions: 2 }, 1000, ["three", "two"]],
    ["keep_days = 7: those of a week, at first all", { keepDays: 7 }, 3, ["three", "two", "one"]],
    ["keep_days = 7: later the newest alone", { keepDays: 7 }, 9.5, ["three"]],
    ["both: what either keeps", { keepRevisions: 2, keepDays: 7 }, 9.5, ["three", "two"]],
  ])("%s", async (_, keep, days, expected) => {
    const [one, two, three_] = (await three()) as [TestPath, TestPath, TestPath];
    for (const [day, path] of [one, two, three_].entries()) await pinPath("p", path, day, keep);
    expect(await kept("p", days)).toEqual(expected);
    await beginRetention(MONTH);
    await collectAfter(1000, MONTH, { force: true });
    const narinfos = (await keys()).filter((key) => key.endsWith(".narinfo")).length;
    expect(narinfos).toBe(keep.keepRevisions ?? (keep.keepDays === undefined ? 3 : 1));
  });

  it("are not added by the same path again", async () => {
    const [one] = (await three()) as [TestPath];
    await pinPath("p", one);
    await pinPath("p", one, 1, { keepDays: 1 });
    expect(await kept("p", 100)).toEqual(["one"]);
  });
});

describe("a path", () => {
  it("that is not here cannot be pinned", async () => {
    const absent = await testPath();
    const { result } = await recorded((c) => putPin(c, "p", requestOf(absent), "tester"));
    expect(result).toMatchObject({
      status: 409,
      message: expect.stringMatching(/is not in this cache; push it/),
    });
    expect(await inCatalog((c) => listPins(c, { limit: 1000 }).pins)).toEqual([]);
  });

  it("that another tool has put into the bucket can", async () => {
    const path = await testPath();
    await storePath(path);
    expect(await pinPath("p", path)).toMatchObject({ store_path: `/nix/store/${baseNameOf(path)}` });
  });

  it.each([false, true])(
    "in a pin's closure cannot be deleted (with referrers: %s)",
    async (withReferrers) => {
      const { library, app, all } = await publishClosure();
      await pinPath("live", app);
      const { result } = await recorded((c) => deletePath(c, hashOf(library), withReferrers));
      expect(result).toMatchObject({
        status: 409,
        message: expect.stringMatching(/by the pins live; DELETE .*pins\/NAME first/),
      });
      expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toHaveLength(all.length);
      await inCatalog((c) => deletePin(c, "live"));
      await inCatalog((c) => deletePath(c, hashOf(library), true));
      expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toEqual([]);
    },
  );
});

describe("the bucket", () => {
  it("has the pins for a catalog that is built anew", async () => {
    const [one, two] = (await three()) as [TestPath, TestPath];
    await pinPath("p", one, 0, { keepRevisions: 3 });
    await pinPath("p", two, 1, { keepRevisions: 3 });
    const before = await inCatalog((c) => listPins(c, { limit: 1000 }).pins);
    await inCatalog(({ sql }) => {
      for (const table of ["pins", "pin_revisions", "paths", "refs", "nars", "runs"])
        sql.exec(`DELETE FROM ${table}`);
    });
    await inCatalog((c) => reindex(c));
    expect(await inCatalog((c) => listPins(c, { limit: 1000 }).pins)).toEqual(before);
  });

  it.each(["", "{}", '{"revisions": []}', '{"revisions": [{"store_path": "x"}]}'])(
    "with an unreadable pin (%j): nothing is collected until it is fixed",
    async (text) => {
      const [one] = (await three()) as [TestPath];
      await pinPath("kept", one);
      await env.BUCKET.put("pins/broken", text);
      const { unreadable_pins } = await inCatalog((c) => reindex(c));
      expect(unreadable_pins).toMatchObject({ count: 1, first: [{ name: "broken" }] });
      expect(namesOf(await inCatalog((c) => check(c)))).toEqual({ "unreadable-pin": ["broken"] });
      expect((await beginRetention(MONTH)).stopped).toMatch(/^pins\/broken in the bucket cannot be read/);
      expect((await collectAfter(100, MONTH, { force: true })).dead.paths).toBe(0);
      await pinPath("broken", one);
      await beginRetention(MONTH);
      expect((await collectAfter(1000, MONTH, { force: true })).removed.paths).toBe(2);
    },
  );

  it("restores a pin that was deleted from it, and loses one that is deleted", async () => {
    const [one] = (await three()) as [TestPath];
    await pinPath("p", one);
    await env.BUCKET.delete("pins/p");
    await inCatalog((c) => reindex(c));
    expect(await keys()).toContain("pins/p");
    await inCatalog((c) => deletePin(c, "p"));
    expect(await keys()).not.toContain("pins/p");
    expect(await inCatalog((c) => listPins(c, { limit: 1000 }).pins)).toEqual([]);
  });

  it.each([
    ["fails", failing(isPut)],
    ["does not answer", losingAnswers(isPut)],
  ])(
    "that %s is a 503; the path is held all the same, and the object is written later",
    async (_, outage) => {
      const [one] = (await three()) as [TestPath];
      const { result } = await recorded((c) => putPin(c, "p", requestOf(one), "tester"), outage);
      expect(result).toMatchObject({ status: 503 });
      const refused = await deleting(one);
      expect(refused.result).toMatchObject({ status: 409 });
      await inCatalog((c) => writePins(c));
      expect(await keys()).toContain("pins/p");
      expect(await inCatalog(({ sql }) => sql.exec("SELECT is_written FROM pins").toArray())).toEqual([
        { is_written: 1 },
      ]);
    },
  );

  it("gets fifty at a time in one invocation, and all of them in the end", async () => {
    const [one] = (await three()) as [TestPath];
    await pinPath("p", one);
    await inCatalog(({ sql }) => {
      for (let number = 0; number < 120; number++) {
        sql.exec("INSERT INTO pins VALUES (?, NULL, NULL, NULL, 0)", `q${number}`);
        sql.exec(
          `INSERT INTO pin_revisions SELECT ?, number, hash, path_name, pinned, pinned_by
           FROM pin_revisions WHERE pin = 'p'`,
          `q${number}`,
        );
      }
    });
    const { operations, result } = await recorded((c) => writePins(c));
    expect({ operations: operations.length, result }).toEqual({ operations: 50, result: 50 });
    await inCatalog((c) => reindex(c));
    expect((await keys()).filter((key) => key.startsWith("pins/"))).toHaveLength(121);
  });

  it("keeps the newer of two puts when the older arrives late", async () => {
    const [one, two] = (await three()) as [TestPath, TestPath];
    await pinPath("p", one);
    const stale = (await (await env.BUCKET.get("pins/p"))?.text()) ?? "";
    await env.BUCKET.put("pins/p", `${stale} `);
    await pinPath("p", two);
    expect(await (await env.BUCKET.get("pins/p"))?.text()).toContain(baseNameOf(two));
  });
});
