/** The references of what is published: they have to be here and stay, but for an open cache. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { missingPaths } from "../../../src/catalog/rows/paths.ts";
import { type Config, parseConfig } from "../../../src/config/config.ts";
import { isPut, losingAnswers, losingRequests } from "../../support/bucket.ts";
import { deleting, publishing, recorded, rowsOf, served, storeNar } from "../../support/catalog.ts";
import { baseNameOf, closure, hashOf } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog, later, publishPath, storePath } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const CREATED = { result: "created", purged: [], waited: [] };

describe("references", () => {
  it("that are not here are named, the first five of them, and looked for in the bucket", async () => {
    const missing = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => testPath(`dependency-${n}`)));
    const path = await testPath("app-1.0", "app", { references: missing.map(baseNameOf) });
    await storeNar(path);
    const { result, billed } = await publishing(path.text);
    const named = missing.slice(0, 5).map(baseNameOf).join(", ");
    expect(result).toEqual({
      status: 409,
      message: `${baseNameOf(path)} refers to paths that are not in this cache: ${named} and 2 more; push its whole closure: nix copy, with --narinfo-cache-positive-ttl 0 if these were deleted here`,
    });
    expect(billed).toEqual({ A: 0, B: 8 });
    expect(await served(path)).toBeUndefined();
    expect(await rowsOf("SELECT * FROM publications")).toEqual([]);
  });

  it("are all that the refusal names: those that are here are not", async () => {
    const { library, app, packed } = await closure();
    await publishPath(library);
    await storeNar(packed);
    expect((await publishing(packed.text)).result).toMatchObject({
      message: `${baseNameOf(packed)} refers to paths that are not in this cache: ${baseNameOf(app)}; push its whole closure: nix copy, with --narinfo-cache-positive-ttl 0 if these were deleted here`,
    });
  });

  it("that only the bucket knows are here, and known from then on", async () => {
    const { library, app } = await closure();
    await storePath(library);
    await storeNar(app);
    expect(await publishing(app.text)).toMatchObject({ ...CREATED, billed: { A: 1, B: 2 } });
    expect(await inCatalog((c) => missingPaths(c, [hashOf(library)]))).toEqual([]);
  });

  it("that cannot be read are not here", async () => {
    const { library, app } = await closure();
    await storeNar(app);
    await env.BUCKET.put(library.key, "StorePath: nonsense\n");
    expect((await publishing(app.text)).result).toMatchObject({ status: 409 });
  });

  it("cannot go while a publication relies on them, nor can they when nobody knows whether it has happened", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await storeNar(app);
    let refusal: unknown;
    const { result } = await recorded((c) =>
      publishing(app.text, {
        ...losingAnswers(isPut),
        before: async ({ name }) => {
          if (name === "put") refusal = await deletePath(c, hashOf(library), false).catch((error) => error);
        },
      }).then(({ result }) => result),
    );
    expect(refusal).toMatchObject({ refusal: { kind: "referred", referrers: [hashOf(app)] } });
    expect(result).toMatchObject({ status: 503 });
    const later = await deleting(library);
    expect(later.result).toMatchObject({ status: 409 });
  });

  it("of a narinfo that arrives after its writer has died are kept", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await storeNar(app);
    await publishing(app.text, losingRequests(isPut));
    await recorded((c) => resolveExpired(c));
    expect((await deleting(library)).result).toMatchObject({
      status: 409,
    });
    await env.BUCKET.put(app.key, app.text);
    const hour = later();
    await recorded((c) => resolveExpired(c), {}, hour);
    expect((await deleting(library, false, {}, hour)).result).toMatchObject({
      message: expect.stringContaining(`is referred to by ${baseNameOf(app)};`),
    });
  });
});

describe("an open cache", () => {
  const open: { config: Config } = {
    config: parseConfig({ CACHES: { "nix-cache": { open: true } } } as never),
  };

  it("takes a path before its references, and marks it until it is pushed with all there", async () => {
    const { library, app } = await closure();
    await storeNar(app);
    expect(await publishing(app.text, {}, open)).toMatchObject({ result: "created" });
    expect(await rowsOf("SELECT incomplete FROM paths")).toEqual([{ incomplete: 1 }]);
    expect(await publishing(app.text, {}, open)).toMatchObject({ result: "unchanged" });
    expect(await rowsOf("SELECT incomplete FROM paths")).toEqual([{ incomplete: 1 }]);
    await publishPath(library);
    expect(await publishing(app.text, {}, open)).toMatchObject({ result: "unchanged" });
    expect(await rowsOf("SELECT DISTINCT incomplete FROM paths")).toEqual([{ incomplete: 0 }]);
  });

  it("still needs the NAR", async () => {
    const { app } = await closure();
    expect((await publishing(app.text, {}, open)).result).toMatchObject({ status: 409 });
  });

  it("marks a path whose publication was settled later", async () => {
    const { app } = await closure();
    await storeNar(app);
    await publishing(app.text, losingAnswers(isPut), open);
    await recorded((c) => resolveExpired(c), {}, later());
    expect(await rowsOf("SELECT incomplete FROM paths")).toEqual([{ incomplete: 1 }]);
  });
});
