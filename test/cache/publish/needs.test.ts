/** Publishing a narinfo: refused unless its NAR and its references are there. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { formatHash } from "../../../src/nix/hash.ts";
import { formatNarInfo } from "../../../src/nix/narinfo.ts";
import { cacheWith, keys, OPEN, store } from "../../support/cache.ts";
import { HASH } from "../../support/objects.ts";
import { expectRefusal } from "../../support/refusal.ts";
import { bytesOf, compressedPath, narKeyOf, push, sha256, testPath } from "../../support/store-paths.ts";

afterEach(reset);

const cache = cacheWith();

describe("the NAR is there and is the one", () => {
  test("not there", async () => {
    const path = await testPath();
    const line = expectRefusal(await cache.put(`/${path.key}`, path.text), 409);
    expect(line).toContain(`the NAR ${path.narKey} is not in this cache; push the path again`);
    expect(await keys()).toEqual([]);
  });

  test("of another size than FileSize", async () => {
    const path = await compressedPath("sized");
    const line = expectRefusal(await push(cache, path, path.text.replace(/^(FileSize: ).*$/m, "$17")), 409);
    expect(line).toMatch(new RegExp(`has ${path.nar.length} bytes, not 7`));
    expect(await keys()).toEqual([path.narKey]);
  });

  test("of another hash than FileHash", async () => {
    const path = await compressedPath("hashed");
    const other = formatHash(await sha256(bytesOf("other")));
    const line = expectRefusal(
      await push(cache, path, path.text.replace(/^(FileHash: ).*$/m, `$1${other}`)),
      409,
    );
    expect(line).toMatch(new RegExp(`has the hash sha256:.*, not ${other}`));
    expect(await keys()).toEqual([path.narKey]);
  });

  test("cut short by another tool", async () => {
    const path = await compressedPath("cut");
    await store(path.narKey, path.nar.slice(0, -1));
    expectRefusal(await cache.put(`/${path.key}`, path.text), 409);
  });

  test("a store path with the same archive as another needs no second NAR", async () => {
    const [first, second] = [await testPath("one", "the same"), await testPath("two", "the same")];
    expect(first.narKey).toBe(await narKeyOf(second.nar));
    await push(cache, first);
    expect((await cache.put(`/${second.key}`, second.text)).status).toBe(201);
  });
});

describe("nothing is published whose references are not here", () => {
  const referringTo = (...references: string[]) => testPath("referring", "referring", { references });

  test("refused: the first missing ones are named, and what is to be done", async () => {
    const library = await testPath("library-1.0");
    await push(cache, library);
    const absent = Array.from({ length: 7 }, (_, index) => `${index}`.repeat(32).concat(`-absent-${index}`));
    const path = await referringTo(
      ...absent.slice(0, 3),
      library.info.storePath.baseName,
      ...absent.slice(3),
    );
    const line = expectRefusal(await push(cache, path), 409);
    expect(line).toBe(
      `${path.info.storePath.baseName} refers to paths that are not in this cache: ${absent.slice(0, 5).join(", ")} and 2 more; push its whole closure: nix copy, with --narinfo-cache-positive-ttl 0 if these were deleted here\n`,
    );
    expect(await keys()).toEqual([library.key, library.narKey, path.narKey].sort());
    expectRefusal(await cache.get(`/${path.key}`), 404);
  });

  test("a hash under another name is another path", async () => {
    const library = await testPath("library-1.0");
    await push(cache, library);
    const { hash } = library.info.storePath;
    const line = expectRefusal(await push(cache, await referringTo(`${hash}-library-2.0`)), 409);
    expect(line).toContain(`${hash}-library-2.0`);
  });

  test("its own hash under another name is no reference to itself", async () => {
    const path = await testPath("itself");
    const references = [`${path.info.storePath.hash}-another`];
    expectRefusal(await push(cache, path, formatNarInfo({ ...path.info, references })), 400);
  });

  test("a hash that is taken by another name is refused", async () => {
    const path = await testPath("taken-1.0");
    await push(cache, path);
    const { storePath } = path.info;
    const other = { ...storePath, name: "taken-2.0", baseName: `${storePath.hash}-taken-2.0` };
    const renamed = formatNarInfo({ ...path.info, storePath: other, references: [] });
    expect(expectRefusal(await cache.put(`/${path.key}`, renamed), 409)).toContain("taken-1.0");
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("published once they are", async () => {
    const library = await testPath("library-1.0");
    const path = await referringTo(library.info.storePath.baseName);
    expect((await push(cache, path)).status).toBe(409);
    await push(cache, library);
    expect((await cache.put(`/${path.key}`, path.text)).status).toBe(201);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("a NAR alone is no reference", async () => {
    const library = await testPath("library-1.0");
    await cache.put(`/${library.narKey}`, library.nar);
    const path = await referringTo(library.info.storePath.baseName);
    expectRefusal(await push(cache, path), 409);
  });

  test("the path itself is one", async () => {
    const { info } = await referringTo();
    const path = await referringTo(info.storePath.baseName);
    expect((await push(cache, path)).status).toBe(201);
  });

  test("what another tool has put into the bucket counts", async () => {
    const library = await testPath("library-1.0");
    await store(library.narKey, library.nar);
    await store(library.key, library.text);
    const path = await referringTo(library.info.storePath.baseName);
    expect((await push(cache, path)).status).toBe(201);
  });

  test("what no client could read does not", async () => {
    const library = await testPath("library-1.0");
    await store(library.key, library.text.replace(/^NarHash: .*\n/m, ""));
    const path = await referringTo(library.info.storePath.baseName);
    expectRefusal(await push(cache, path), 409);
  });

  test("an open cache does not ask", async () => {
    const path = await referringTo(`${HASH}-elsewhere`);
    expect((await push(cacheWith(OPEN), path)).status).toBe(201);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("an open cache asks for the NAR all the same", async () => {
    const path = await referringTo(`${HASH}-elsewhere`);
    expectRefusal(await cacheWith(OPEN).put(`/${path.key}`, path.text), 409);
    expect(await keys()).toEqual([]);
  });
});
