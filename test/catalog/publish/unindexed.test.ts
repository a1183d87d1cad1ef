/** Publications over narinfos that the catalog does not know: another tool has put them into the bucket. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { isInspection } from "../../support/bucket.ts";
import { otherBuild } from "../../support/builds.ts";
import { publishing, recorded, rowsOf, served, storeNar, withSignature } from "../../support/catalog.ts";
import { closure, hashOf } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { publishPath, storePath } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("a narinfo that only the bucket knows", () => {
  it("is merged like any other, and known from then on", async () => {
    const path = await testPath();
    await storeNar(path);
    await env.BUCKET.put(path.key, withSignature(path.text, "a"));
    expect(await publishing(withSignature(path.text, "b"))).toMatchObject({
      ...{ result: "updated", purged: [[`/${path.key}`]] },
      operations: [
        `get ${path.narKey}`,
        `put ${path.key}`,
        `get ${path.key}`,
        `get ${path.narKey}`,
        `put ${path.key}`,
      ],
    });
    expect(await served(path)).toBe(withSignature(withSignature(path.text, "a"), "b"));
    expect(await rowsOf("SELECT signers FROM paths")).toEqual([{ signers: "a b" }]);
  });

  it("is not written again where it says all that the new one says", async () => {
    const path = await testPath();
    await storePath(path);
    expect(await publishing(path.text)).toMatchObject({
      result: "unchanged",
      operations: [
        `get ${path.narKey}`,
        `get ${path.narKey}`,
        `put ${path.narKey}`,
        `put ${path.key}`,
        `get ${path.key}`,
        `get ${path.narKey}`,
      ],
    });
  });

  it("stays when another build is pushed, and is known from then on", async () => {
    const path = await testPath();
    await storePath(path);
    const other = await otherBuild(path);
    await storeNar(other);
    expect(await publishing(other.text)).toMatchObject({ result: "kept-existing" });
    expect(await served(path)).toBe(path.text);
    expect(await rowsOf("SELECT nar FROM paths")).toEqual([{ nar: path.narKey }]);
  });

  it.each([
    ["cannot be read", "StorePath: nonsense\n"],
    ["names no object", "nonsense"],
    ["is empty", ""],
  ])("and that %s is replaced", async (_, text) => {
    const path = await testPath();
    await storeNar(path);
    await env.BUCKET.put(path.key, text);
    expect(await publishing(path.text)).toMatchObject({ result: "updated", purged: [[`/${path.key}`]] });
    expect(await served(path)).toBe(path.text);
  });

  it("keeps its NAR and its references while it is looked at", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    const other = await otherBuild(app);
    await storeNar(other);
    await storePath(app);
    let refusal: unknown;
    await recorded((c) =>
      publishing(other.text, {
        before: async (operation) => {
          if (!isInspection(operation) || operation.key !== app.narKey) return;
          refusal = await deletePath(c, hashOf(library), false).catch((error) => error);
        },
      }).then(({ result }) => result),
    );
    expect(refusal).toMatchObject({ refusal: { kind: "referred" } });
  });

  it("that changes again and again makes a refusal in the end", async () => {
    const path = await testPath();
    await storeNar(path);
    let change = 0;
    const { result } = await publishing(withSignature(path.text, "a"), {
      before: async ({ name, key }) => {
        if (name !== "put" || key !== path.key) return;
        await env.BUCKET.put(key, withSignature(path.text, `other-${change++}`));
      },
    });
    expect(result).toMatchObject({ status: 503 });
    expect(await rowsOf("SELECT * FROM publications")).toEqual([]);
  });
});
