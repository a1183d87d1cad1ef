// A pin's object whose deletion got no answer, and may still happen: the pin that is put again outlives it.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { deletePin, listPins, putPin } from "../../../src/catalog/pins/pins.ts";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { failing, type Interference, losingAnswers, type Operation } from "../../support/bucket.ts";
import { keys } from "../../support/cache.ts";
import { recorded, rowsOf } from "../../support/catalog.ts";
import { pinPath } from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog, publishPath, reindex } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const START = Date.now();
const at = (ms: number) => ({ now: () => START + ms });
const isDelete = ({ name }: Operation) => name === "delete";

/** A bucket that loses the answer of every deletion, and carries them out only when it is told to. */
function lateBucket(): Interference & { readonly arrive: () => Promise<unknown> } {
  const late: (() => unknown)[] = [];
  return {
    instead: (operation, run) => {
      if (!isDelete(operation)) return run();
      late.push(run);
      throw new Error("Network connection lost.");
    },
    arrive: () => Promise.all(late.splice(0).map((run) => run())),
  };
}

async function pinned(): Promise<TestPath> {
  const path = await testPath();
  await publishPath(path);
  await pinPath("p", path);
  return path;
}

function pinAgain({ info: { storePath } }: TestPath, ms: number) {
  const request = { hash: storePath.hash, name: storePath.name };
  return recorded((c) => putPin(c, "p", request, "tester"), {}, at(ms));
}

/** The late deletion arrives when the catalog stops to wait for it, or after the pin was put again. */
async function expectItOutlives({ info: { storePath } }: TestPath, late: ReturnType<typeof lateBucket>) {
  const request = { hash: storePath.hash, name: storePath.name };
  const wait = async () => void (await late.arrive());
  await recorded((c) => putPin(c, "p", request, "tester"), {}, { ...at(10_000), wait });
  await late.arrive();
  expect(await rowsOf("SELECT is_written FROM pins")).toEqual([{ is_written: 1 }]);
  expect(await keys()).toContain("pins/p");
}

describe("a pin that is put again after a deletion without an answer", () => {
  it("waits until that deletion cannot happen any more", async () => {
    const path = await pinned();
    const late = lateBucket();
    const { result } = await recorded((c) => deletePin(c, "p"), late, at(0));
    expect(result).toMatchObject({ status: 503 });
    const { waited, operations } = await pinAgain(path, 10_000);
    expect([waited, operations]).toEqual([[20_000], ["delete pins/p", "put pins/p"]]);
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
  });

  it("is in the bucket, for a catalog that is built anew", async () => {
    const path = await pinned();
    const late = lateBucket();
    await recorded((c) => deletePin(c, "p"), late, at(0));
    await expectItOutlives(path, late);
  });

  it("and again, that time with an answer, is in the bucket, too", async () => {
    const path = await pinned();
    const late = lateBucket();
    await recorded((c) => deletePin(c, "p"), late, at(0));
    const wait = async () => void (await late.arrive());
    expect((await recorded((c) => deletePin(c, "p"), {}, { ...at(5_000), wait })).result).toBeUndefined();
    await expectItOutlives(path, late);
  });

  it("does not wait where the bucket has said that nothing was deleted", async () => {
    const path = await pinned();
    await recorded((c) => deletePin(c, "p"), failing(isDelete), at(0));
    const { waited } = await pinAgain(path, 10_000);
    expect(waited).toEqual([]);
    expect(await keys()).toContain("pins/p");
  });
});

describe("a deletion of a pin without an answer", () => {
  it("is done when it is asked for again, and there is none after that", async () => {
    await pinned();
    await recorded((c) => deletePin(c, "p"), lateBucket());
    expect(await inCatalog((c) => listPins(c, { limit: 1000 }).pins)).toEqual([]);
    expect((await recorded((c) => deletePin(c, "p"))).operations).toEqual(["delete pins/p"]);
    expect(await keys()).not.toContain("pins/p");
    expect((await recorded((c) => deletePin(c, "p"))).result).toMatchObject({ status: 404 });
  });

  it("is done by itself, and drops nothing from the edge, where no pin is", async () => {
    await pinned();
    await recorded((c) => deletePin(c, "p"), lateBucket(), at(0));
    const { operations, purged } = await recorded((c) => resolveExpired(c), {}, at(60_000));
    expect([operations, purged.flat()]).toEqual([["delete pins/p"], []]);
  });

  it("is done before a reindex looks, which would take the pin for one that is to be learnt", async () => {
    await pinned();
    await recorded((c) => deletePin(c, "p"), failing(isDelete));
    await recorded((c) => reindex(c));
    expect(await inCatalog((c) => listPins(c, { limit: 1000 }).pins)).toEqual([]);
    expect(await keys()).not.toContain("pins/p");
  });

  it("that did happen leaves nothing", async () => {
    await pinned();
    await recorded((c) => deletePin(c, "p"), losingAnswers(isDelete), at(0));
    expect(await env.BUCKET.head("pins/p")).toBeNull();
    await recorded((c) => resolveExpired(c), {}, at(60_000));
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
    expect(await rowsOf("SELECT * FROM pins")).toEqual([]);
  });
});
