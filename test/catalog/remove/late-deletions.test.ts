/** Deletions that got no answer and may still happen: nothing is put under their key before that is over. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { failing, isDelete, losingAnswers, losingRequests } from "../../support/bucket.ts";
import { keys } from "../../support/cache.ts";
import { deleting, publishing, recorded, rowsOf, storeNar } from "../../support/catalog.ts";
import { withInfo } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { publishPath } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const START = Date.now();
const at = (ms: number) => ({ now: () => START + ms });
const begun = async () =>
  (await rowsOf<{ begun: number }>("SELECT begun FROM pending")).map((row) => row.begun - START);

describe("a deletion that was attempted again", () => {
  it("is waited for from its last attempt", async () => {
    const path = await testPath();
    await publishPath(path);
    await deleting(path, false, losingAnswers(isDelete), at(0));
    await recorded((c) => resolveExpired(c), losingAnswers(isDelete), at(60_000));
    expect(await begun()).toEqual([60_000]);
    await storeNar(path);
    const { result, waited } = await publishing(path.text, {}, at(61_000));
    expect([result, waited]).toEqual(["created", [29_000]]);
  });

  it("and failed for certain is waited for from the attempt before", async () => {
    const path = await testPath();
    await publishPath(path);
    await deleting(path, false, losingAnswers(isDelete), at(0));
    await recorded((c) => resolveExpired(c), failing(isDelete), at(40_000));
    expect(await begun()).toEqual([0]);
    await deleting(path, false, failing(isDelete), at(20_000));
    expect(await begun()).toEqual([0]);
  });

  it("failed for certain, and then got no answer, is waited for", async () => {
    const path = await testPath();
    await publishPath(path);
    await deleting(path, false, failing(isDelete), at(0));
    await recorded((c) => resolveExpired(c), losingAnswers(isDelete), at(10_000));
    await storeNar(path);
    const { result, waited } = await publishing(path.text, {}, at(15_000));
    expect([result, waited]).toEqual(["created", [25_000]]);
  });
});

it("takes no log along that another path has by then", async () => {
  const deriver = `${"0".repeat(32)}-hello.drv`;
  const [one, two] = await Promise.all(
    ["hello", "hello-dev"].map(async (name) => withInfo(await testPath(name, name), { deriver })),
  );
  if (one === undefined || two === undefined) throw new Error("there are two");
  await publishPath(one);
  await env.BUCKET.put(`log/${deriver}`, "building");
  await deleting(one, false, losingRequests(isDelete), at(0));
  await publishPath(two);
  await recorded((c) => resolveExpired(c), {}, at(60_000));
  expect(await keys()).toEqual(expect.arrayContaining([`log/${deriver}`, two.key]));
  expect(await keys()).not.toContain(one.key);
});

describe("a push whose NAR has gone", () => {
  it("drops the NAR from the edge, which would tell the next push again that it is here", async () => {
    const path = await testPath();
    const { result, purged } = await publishing(path.text);
    expect(result).toMatchObject({ status: 409 });
    expect(purged).toEqual([[`/${path.narKey}`]]);
  });
});
