/** Publications while the bucket fails or the catalog's process dies: nothing is lost, and nothing is left behind. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { missingPaths } from "../../../src/catalog/rows/paths.ts";
import { failing, isInspection, isPut, losingAnswers, r2Error } from "../../support/bucket.ts";
import { otherBuild } from "../../support/builds.ts";
import {
  deleting,
  publishing,
  type Recorded,
  recorded,
  rowsOf,
  served,
  storeNar,
  withSignature,
} from "../../support/catalog.ts";
import { closure, hashOf, publishClosure } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog, later, publishPath, rows } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("a bucket that fails", () => {
  it("takes one write a second to a narinfo: the publication waits", async () => {
    const path = await testPath();
    await storeNar(path);
    let refusals = 3;
    const { result, waited } = await publishing(path.text, {
      before: ({ name }) => {
        if (name === "put" && refusals-- > 0)
          throw r2Error("put", "Reduce your concurrent request rate", 10058);
      },
    });
    expect({ result, waited }).toEqual({ result: "created", waited: [1100, 1100, 1100] });
  });

  it("that goes on refusing is not waited for without end, and nothing is left behind", async () => {
    const path = await testPath();
    await storeNar(path);
    const { result, waited } = await publishing(path.text, {
      before: ({ name }) => {
        if (name === "put") throw r2Error("put", "Reduce your concurrent request rate", 10058);
      },
    });
    expect(result).toMatchObject({ status: 503 });
    expect(waited).toHaveLength(4);
    expect(await rowsOf("SELECT * FROM publications")).toEqual([]);
  });

  it("while it is read leaves nothing behind", async () => {
    const path = await testPath();
    await storeNar(path);
    expect((await publishing(path.text, failing(isInspection))).result).toMatchObject({
      status: 503,
    });
    expect(await rowsOf("SELECT * FROM publications")).toEqual([]);
  });

  it.each([
    ["refuses and has not written", failing, []],
    ["writes and loses the answer", losingAnswers, ["here"]],
  ] as const)("when it is to write, %s: the next look settles it", async (_, interference, expected) => {
    const path = await testPath();
    await storeNar(path);
    const { result } = await publishing(path.text, interference(isPut));
    expect(result).toMatchObject({ status: 503 });
    expect(await rowsOf("SELECT hash FROM publications")).toEqual([{ hash: hashOf(path) }]);
    await recorded((c) => resolveExpired(c), {}, later());
    expect(await rowsOf("SELECT 'here' AS here FROM paths")).toEqual(expected.map((here) => ({ here })));
    expect(await rowsOf("SELECT * FROM publications")).toEqual([]);
    expect(await publishing(path.text)).toMatchObject({
      result: expected.length > 0 ? "unchanged" : "created",
    });
  });

  it("when the next one waits already: what it has written of the first is not forgotten", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await storeNar(app);
    const other = await otherBuild(app, { references: [] });
    let second: Promise<Recorded<string>> | undefined;
    await recorded(async (c) => {
      await publishing(app.text, {
        ...losingAnswers(({ name, key }) => name === "put" && key === app.key),
        before: (operation) => {
          if (isInspection(operation)) second ??= publishing(other.text);
        },
      });
      expect(await second).toMatchObject({ result: "kept-existing" });
      expect(missingPaths(c, [hashOf(app)])).toEqual([]);
    });
    expect(await served(app)).toBe(app.text);
    expect((await deleting(library)).result).toMatchObject({
      status: 409,
    });
  });

  it("does not stop others: what cannot be settled is left alone", async () => {
    const [one, two] = [await testPath("one"), await testPath("two")];
    for (const path of [one, two]) await storeNar(path);
    await publishing(one.text, failing(isPut));
    const broken = failing(({ key }) => key === one.key);
    expect(await publishing(two.text, broken)).toMatchObject({ result: "created" });
    expect(await rowsOf("SELECT hash FROM publications")).toEqual([{ hash: hashOf(one) }]);
  });
});

describe("a process that dies", () => {
  it("between write and index leaves what the next one finds", async () => {
    const { library, app } = await publishClosure();
    const text = withSignature(app.text, "a");
    const dead = new Error("dead");
    let isDead = false;
    const dying = publishing(
      text,
      {
        after: ({ name }) => {
          isDead ||= name === "put";
        },
      },
      {
        transaction: () => {
          throw dead;
        },
      },
    );
    await expect(dying).rejects.toBe(dead);
    expect(isDead).toBe(true);
    expect(await served(app)).toBe(text);
    expect((await deleting(library)).result).toMatchObject({
      status: 409,
    });
    const { purged } = await recorded((c) => resolveExpired(c), {}, later());
    expect(purged).toEqual([[`/${app.key}`]]);
    expect(await rowsOf("SELECT signers FROM paths WHERE hash = ?", hashOf(app))).toEqual([{ signers: "a" }]);
    expect((await inCatalog(rows)).pending).toEqual([]);
  });
});
