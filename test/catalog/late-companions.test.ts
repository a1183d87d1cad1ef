// Companions that arrive when their path has been deleted by request or by a repair: they do not stay for ever.
import { reset, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { deletePath } from "../../src/catalog/delete.ts";
import { sweepLateCompanions } from "../../src/catalog/late-companions.ts";
import { recover } from "../../src/catalog/pending.ts";
import { expectCompanion } from "../../src/catalog/wants.ts";
import { failing, losingAnswers, type Operation } from "../support/bucket.ts";
import { keys } from "../support/cache.ts";
import { recorded, rowsOf } from "../support/catalog.ts";
import { baseNameOf, hashOf, withInfo } from "../support/closure.ts";
import { beginRetention, collect, cronUntil, daysLater } from "../support/collecting.ts";
import { captureLog } from "../support/log.ts";
import { catalog, check, HOUR_MS, inCatalog, NAR_GRACE_MS, publishPath, value } from "../support/runs.ts";
import { type TestPath, testPath } from "../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const START = Date.now();
const MONTH = { retention_days: 30 };
const DRV = `${"0".repeat(32)}-hello.drv`;
const REALISATION = `realisations/sha256:${"a".repeat(64)}!out.doi`;
const isDelete = ({ name }: Operation) => name === "delete";
const at = (hours: number) => ({ now: () => START + hours * HOUR_MS + 5000 });
const END = NAR_GRACE_MS / HOUR_MS;

async function hello(name = "hello"): Promise<TestPath> {
  return withInfo(await testPath(name, name), { deriver: DRV });
}

/** Key, owner and content of a path's companions. */
function companionsOf(path: TestPath): [key: string, owner: string, body: string][] {
  return [
    [`${hashOf(path)}.ls`, hashOf(path), "{}"],
    [`log/${DRV}`, DRV, "building"],
    [REALISATION, hashOf(path), `{"outPath":"${baseNameOf(path)}"}`],
  ];
}

const announce = (path: TestPath, hours = 0) =>
  inCatalog(async (c) => {
    for (const [key, owner] of companionsOf(path)) await expectCompanion(c, key, owner);
  }, at(hours));

async function arrive(path: TestPath): Promise<void> {
  for (const [key, , body] of companionsOf(path)) await env.BUCKET.put(key, body);
}

const remove = (path: TestPath) => inCatalog((c) => deletePath(c, hashOf(path), false), at(0));
const sweep = (hours: number) => recorded((c) => sweepLateCompanions(c), {}, at(hours));

/** Of a path that is deleted. */
async function late(path: TestPath): Promise<void> {
  await publishPath(path);
  await announce(path);
  await remove(path);
  await arrive(path);
}

describe("companions that arrive late go after the grace period", () => {
  it("when they had been announced before the deletion", async () => {
    const path = await hello();
    await late(path);
    expect((await sweep(END - 1)).operations).toEqual([]);
    const { purged } = await sweep(END);
    expect(await keys()).toEqual([path.narKey]);
    expect(purged.map((paths) => paths.toSorted())).toEqual([
      companionsOf(path)
        .map(([key]) => `/${key}`)
        .sort(),
    ]);
    expect(await rowsOf("SELECT owner FROM deleted_owners UNION ALL SELECT key FROM pending")).toEqual([]);
  });

  it("when they had waited for the deletion, counted from when they were announced", async () => {
    const path = await hello();
    await publishPath(path);
    await recorded((c) => deletePath(c, hashOf(path), false), failing(isDelete), at(0));
    await announce(path, 1);
    await arrive(path);
    expect((await sweep(END)).operations).toEqual([]);
    await sweep(END + 1);
    expect(await keys()).toEqual([path.narKey]);
    expect(await rowsOf("SELECT * FROM companions")).toEqual([]);
  });

  it("when it was a repair that deleted the narinfo", async () => {
    const path = await hello();
    await publishPath(path);
    await announce(path);
    await env.BUCKET.put(path.key, "damaged");
    await inCatalog((c) => check(c, { repair: true }), at(0));
    await arrive(path);
    await sweep(END);
    expect(await keys()).toEqual([path.narKey]);
  });

  it("by the alarm", async () => {
    const path = await hello();
    await publishPath(path);
    await value(catalog().deletePath(hashOf(path), false));
    await env.BUCKET.put(`${hashOf(path)}.ls`, "{}");
    await inCatalog(({ sql }) => sql.exec("UPDATE deleted_owners SET deleted = 0"));
    await runDurableObjectAlarm(catalog());
    expect(await keys()).toEqual([path.narKey]);
  });

  it("when they had waited for a collection", async () => {
    const path = await hello();
    await publishPath(path);
    await beginRetention(MONTH);
    await cronUntil(39);
    const outage = failing(isDelete);
    const begun = recorded((c) => collect(c, { force: true }), outage, daysLater(40, MONTH));
    await expect(begun).rejects.toThrow(/did not answer/);
    const waiting = companionsOf(path).slice(0, 2);
    await inCatalog(
      (c) => Promise.all(waiting.map(([key, owner]) => expectCompanion(c, key, owner))),
      daysLater(40, MONTH),
    );
    await arrive(path);
    await recorded((c) => sweepLateCompanions(c), {}, daysLater(41, MONTH));
    expect(await keys()).toHaveLength(4);
    await recorded((c) => sweepLateCompanions(c), {}, daysLater(42, MONTH));
    // Nobody has announced the realisation.
    expect(await keys()).toEqual([path.narKey, REALISATION].sort());
  });

  it("also where the bucket fails or does not answer", async () => {
    const path = await hello();
    await late(path);
    await expect(
      recorded((c) => sweepLateCompanions(c), losingAnswers(isDelete), at(END)),
    ).resolves.toMatchObject({ result: { status: 503 } });
    await arrive(path);
    await recorded((c) => recover(c), {}, at(END + 1));
    expect(await keys()).toEqual([path.narKey]);
  });
});

describe("companions stay", () => {
  it("whose path is here again", async () => {
    const path = await hello();
    await late(path);
    await inCatalog((c) => recover(c), at(0));
    await publishPath(path);
    expect((await sweep(END)).operations).toEqual([]);
    expect(await keys()).toEqual(expect.arrayContaining(companionsOf(path).map(([key]) => key)));
    expect(await rowsOf("SELECT * FROM deleted_owners")).toEqual([]);
  });

  it("that have another owner by then", async () => {
    const [path, other] = [await hello(), await hello("other")];
    await late(path);
    await publishPath(other);
    await inCatalog((c) => expectCompanion(c, REALISATION, hashOf(other)), at(1));
    await sweep(END + 1);
    expect((await keys()).filter((key) => /^log|^real|ls$/.test(key))).toEqual([`log/${DRV}`, REALISATION]);
  });

  it("that are announced again for a push under way", async () => {
    const path = await hello();
    await late(path);
    await announce(path, END - 1);
    expect((await sweep(END)).operations).toEqual([]);
  });
});
