/** Realisations while the bucket fails, other tools write, others push the same, or the path is being deleted. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { publishRealisation } from "../../../src/catalog/publish/realisation.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { failing, isPut, losingAnswers, meanwhile, r2Error, watch } from "../../support/bucket.ts";
import { deleting, recorded, rowsOf } from "../../support/catalog.ts";
import { baseNameOf, hashOf } from "../../support/closure.ts";
import { dyingAtEveryOperation } from "../../support/dying.ts";
import { captureLog } from "../../support/log.ts";
import { newKey } from "../../support/own-keys.ts";
import {
  configOfKeys,
  type Doi,
  FLAT,
  pushing,
  realised,
  signersOf,
  storedRealisation,
} from "../../support/realisations.ts";
import { inCatalog, later, publishPath, reindex } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();

const CACHE = await newKey("cache-1");
const BUILDER = await newKey("builder-1");
const KEYS = [CACHE, BUILDER];
const SIGNS = configOfKeys([CACHE]);
const SIGNED = ["builder-1", "cache-1"];

let path: TestPath;
let doi: Doi;
beforeEach(async () => {
  path = await testPath("first");
  doi = await realised(baseNameOf(path), [BUILDER]);
  await publishPath(path);
  await inCatalog((c) => reindex(c));
});
afterEach(() => reset());

describe("the bucket", () => {
  it("takes one write a second to a key: the push waits, and does not for ever", async () => {
    let refusals = 2;
    const busy = (isOver: () => boolean) => ({
      before: ({ name }: { name: string }) => {
        if (name === "put" && !isOver()) throw r2Error("put", "Reduce your concurrent request rate", 10058);
      },
    });
    expect(
      await pushing(
        doi,
        SIGNS,
        busy(() => refusals-- <= 0),
      ),
    ).toMatchObject({ result: "created", waited: [1100, 1100] });
    await env.BUCKET.delete(FLAT);
    const refused = await pushing(
      await realised(baseNameOf(path)),
      SIGNS,
      busy(() => false),
    );
    expect([refused.result, refused.waited.length]).toEqual([expect.objectContaining({ status: 503 }), 4]);
  });

  it.each([
    ["fails", failing],
    ["loses the answer", losingAnswers],
  ])("that %s is told as 503, and the next push puts it right", async (_, interference) => {
    expect((await pushing(doi, SIGNS, interference(isPut))).result).toMatchObject({ status: 503 });
    expect(await rowsOf("SELECT owner FROM companions")).toEqual([{ owner: hashOf(path) }]);
    expect(["created", "updated", "unchanged"]).toContain((await pushing(doi, SIGNS)).result);
    expect(await signersOf(KEYS)).toEqual(SIGNED);
  });

  it("that cannot be read changes nothing", async () => {
    await pushing(doi, SIGNS);
    const broken = failing(({ name }) => name === "get");
    expect((await pushing(await realised(baseNameOf(path)), SIGNS, broken)).result).toMatchObject({
      status: 503,
    });
    expect(await signersOf(KEYS)).toEqual(SIGNED);
  });
});

describe("what another tool has put there", () => {
  it.each(["nonsense", "{}", '{"outPath":"x"}'])(
    "is replaced where no client can read it: %s",
    async (text) => {
      await env.BUCKET.put(FLAT, text);
      const { result, billed } = await pushing(doi, SIGNS);
      expect([result, billed]).toEqual(["updated", { A: 2, B: 1 }]);
      expect(await signersOf(KEYS)).toEqual(SIGNED);
    },
  );

  it("is the first, and gets the signatures", async () => {
    await env.BUCKET.put(FLAT, (await realised(baseNameOf(path))).text);
    expect((await pushing(doi, SIGNS)).result).toBe("updated");
    expect(await signersOf(KEYS)).toEqual(SIGNED);
  });

  it("while a push is writing is read, not overwritten", async () => {
    await pushing(doi, SIGNS);
    const other = await realised(baseNameOf(path), [await newKey("tool-1")]);
    const late = await realised(baseNameOf(path), [await newKey("late-1")]);
    const { result } = await pushing(
      late,
      SIGNS,
      meanwhile(isPut, () => env.BUCKET.put(FLAT, other.text)),
    );
    expect([result, await signersOf(KEYS)]).toEqual(["updated", ["cache-1", "late-1?", "tool-1?"]]);
  });

  it("again and again: the push ends", async () => {
    await pushing(doi, SIGNS);
    let n = 0;
    const restless = {
      before: async ({ name }: { name: string }) => {
        if (name === "put") await env.BUCKET.put(FLAT, `${doi.text}${" ".repeat(++n)}`);
      },
    };
    const { result } = await pushing(
      await realised(baseNameOf(path), [await newKey("late-1")]),
      SIGNS,
      restless,
    );
    expect(result).toMatchObject({ status: 503, message: expect.stringContaining("modified concurrently") });
  });
});

describe("pushes at once", () => {
  it("of one output end with the signatures of all", async () => {
    const names = ["a-1", "b-1", "c-1", "d-1"];
    const dois = await Promise.all(
      names.map(async (name) => realised(baseNameOf(path), [await newKey(name)])),
    );
    await inCatalog((c) =>
      Promise.all(
        dois.map(({ key, text }) => publishRealisation({ ...c, config: SIGNS }, key, text, "PUSH_TOKEN")),
      ),
    );
    const signers = (await storedRealisation())?.signatures.map((signature) => signature.split(":")[0]);
    expect(signers?.sort()).toEqual([...names, "cache-1"].sort());
  });

  it("of two outputs end with one of them, whole, and the other recorded", async () => {
    const second = await testPath("second");
    await publishPath(second);
    const dois = [doi, await realised(baseNameOf(second))];
    const outcomes = await inCatalog((c) =>
      Promise.all(
        dois.map(({ key, text }) => publishRealisation({ ...c, config: SIGNS }, key, text, "PUSH_TOKEN")),
      ),
    );
    expect(outcomes).toEqual(["created", "kept-existing"]);
    expect((await storedRealisation())?.outPath).toBe(baseNameOf(path));
    expect(await rowsOf("SELECT hash, out_path FROM differing_realisations")).toEqual([
      { hash: hashOf(path), out_path: baseNameOf(second) },
    ]);
  });
});

describe("a deletion of the path", () => {
  it("that begins while the realisation is being written comes after it, and takes it along", async () => {
    let deletion: Promise<unknown> = Promise.resolve();
    const { result, operations } = await recorded(
      async (c) => {
        const bucket = watch(
          c.bucket,
          meanwhile(isPut, () => {
            deletion = deletePath(c, hashOf(path), false);
          }),
        ).bucket;
        const outcome = await publishRealisation({ ...c, bucket }, doi.key, doi.text, "PUSH_TOKEN");
        await deletion;
        return outcome;
      },
      {},
      { config: SIGNS },
    );
    expect([result, operations]).toEqual(["created", [`put ${FLAT}`, expect.stringMatching(/^delete /)]]);
    expect([await storedRealisation(), await rowsOf("SELECT * FROM companions")]).toEqual([undefined, []]);
  });

  it("left by a crash is over before the realisation is stored", async () => {
    await pushing(doi, SIGNS);
    const outage = failing(({ name }) => name === "delete");
    expect((await deleting(path, false, outage)).result).toMatchObject({ status: 503 });
    const { result, operations } = await pushing(doi, SIGNS, {}, later());
    expect([result, operations]).toEqual(["created", [`delete ${path.key}`, `put ${FLAT}`]]);
    expect(await signersOf(KEYS)).toEqual(SIGNED);
  });
});

it.each(["before", "after"] as const)(
  "a catalog that dies %s any operation leaves no realisation without a row, and none unsigned",
  async (when) => {
    const died = await inCatalog((c) => {
      const work = async (alive: typeof c) => {
        const context = { ...alive, config: SIGNS };
        await publishRealisation(context, doi.key, doi.text, "PUSH_TOKEN");
        const more = await realised(baseNameOf(path), [await newKey("late-1")]);
        await publishRealisation(context, more.key, more.text, "PUSH_TOKEN");
      };
      return dyingAtEveryOperation(c, work, when);
    });
    expect(died).toBeGreaterThan(1);
    expect(await rowsOf("SELECT owner FROM companions")).toEqual([{ owner: hashOf(path) }]);
    expect(await signersOf(KEYS)).toEqual(expect.arrayContaining(SIGNED));
    const { result } = await recorded((c) => deletePath(c, hashOf(path), false));
    expect(result).toMatchObject({ deleted: [baseNameOf(path)] });
    expect(await storedRealisation()).toBeUndefined();
  },
);
