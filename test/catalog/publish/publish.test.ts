/** Publications of new paths: what they need, what they cost, and what is stored. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { formatNarInfo, type NarInfo } from "../../../src/nix/narinfo.ts";
import { meanwhile } from "../../support/bucket.ts";
import { publishing, rowsOf, served, storeNar, withSignature } from "../../support/catalog.ts";
import { closure, hashOf } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { publishPath } from "../../support/runs.ts";
import { compressedPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const CREATED = { result: "created", purged: [], waited: [] };

describe("a new path", () => {
  it("costs one read and one write", async () => {
    const path = await testPath();
    await storeNar(path);
    expect(await publishing(path.text)).toMatchObject({
      ...CREATED,
      operations: [`get ${path.narKey}`, `put ${path.key}`],
      billed: { A: 1, B: 1 },
    });
    expect(await served(path)).toBe(path.text);
    expect(await rowsOf("SELECT hash, nar, incomplete, pushed_by FROM paths")).toEqual([
      { hash: hashOf(path), nar: path.narKey, incomplete: 0, pushed_by: "PUSH_TOKEN" },
    ]);
    expect(await rowsOf("SELECT is_stored, released FROM nars")).toEqual([{ is_stored: 1, released: null }]);
    expect(await rowsOf("SELECT * FROM publications")).toEqual([]);
  });

  it("costs no more where its references are here, and may refer to itself", async () => {
    const { app, library, packed } = await closure();
    for (const path of [library, app]) await publishPath(path);
    await storeNar(packed);
    expect(await publishing(packed.text)).toMatchObject({ ...CREATED, billed: { A: 1, B: 1 } });
    expect(await rowsOf("SELECT reference FROM refs WHERE referrer = ? ORDER BY 1", hashOf(packed))).toEqual(
      [hashOf(app), hashOf(library)].sort().map((reference) => ({ reference })),
    );
    expect(await rowsOf("SELECT * FROM refs WHERE referrer = reference")).toEqual([]);
  });

  it("is stored in Nix's spelling, with FileHash and FileSize even where they were left out", async () => {
    const path = await compressedPath("hello-1.0");
    await storeNar(path);
    const { fileHash, fileSize, ...info } = path.info;
    expect(fileHash && fileSize).toBeDefined();
    expect(await publishing(formatNarInfo(info))).toMatchObject({ ...CREATED, billed: { A: 1, B: 1 } });
    expect(await served(path)).toBe(path.text);
  });
});

describe("the NAR of a new path", () => {
  it.each([
    ["is not here", undefined, "is not in this cache"],
    ["has another size", new Uint8Array(3), "has 3 bytes, not 136"],
    ["has another content", new Uint8Array(136), "has the hash sha256:"],
  ])("that %s makes a refusal which says so", async (_, bytes, reason) => {
    const path = await testPath();
    if (bytes !== undefined) await storeNar(path, bytes);
    const { result, billed } = await publishing(path.text);
    expect(result).toMatchObject({
      status: 409,
      message: expect.stringContaining(`${path.narKey} ${reason}`),
    });
    expect(result).toMatchObject({ message: expect.stringMatching(/; push the path again$/) });
    expect(billed).toEqual({ A: 0, B: 1 });
    expect(await served(path)).toBeUndefined();
    expect(await rowsOf("SELECT * FROM publications")).toEqual([]);
  });

  it("without a checksum is hashed by the bucket, once", async () => {
    const path = await testPath();
    await env.BUCKET.put(path.narKey, path.nar);
    expect(await publishing(path.text)).toMatchObject({
      ...CREATED,
      operations: [`get ${path.narKey}`, `get ${path.narKey}`, `put ${path.narKey}`, `put ${path.key}`],
    });
    expect(await publishing(withSignature(path.text, "a"))).toMatchObject({ billed: { A: 1, B: 1 } });
  });

  it("without a checksum and with another content is refused, and stays as it is", async () => {
    const path = await testPath();
    await env.BUCKET.put(path.narKey, new Uint8Array(path.nar.length));
    const { result } = await publishing(path.text);
    expect(result).toMatchObject({ status: 409, message: expect.stringContaining("has the hash sha256:") });
    expect((await env.BUCKET.head(path.narKey))?.checksums.sha256).toBeUndefined();
  });

  it("without a checksum is hashed here where the narinfo has no FileHash", async () => {
    const path = await compressedPath("hello-1.0");
    const { fileHash, ...info } = path.info;
    expect(fileHash).toBeDefined();
    await env.BUCKET.put(path.narKey, path.nar);
    expect(await publishing(formatNarInfo(info))).toMatchObject({ ...CREATED, billed: { A: 1, B: 2 } });
    expect(await served(path)).toBe(path.text);
  });

  it.each([
    ["without FileHash and FileSize", ["fileHash", "fileSize"], 400, "does not begin like a NAR file"],
    ["with the size of another", [], 409, "has 0 bytes, not 136"],
  ] as const)("that is empty is refused, %s", async (_, unsaid, status, reason) => {
    const { info, narKey, key } = await testPath();
    await env.BUCKET.put(narKey, new Uint8Array(0));
    const said = Object.entries(info).filter(([field]) => !unsaid.some((name) => name === field));
    const { result } = await publishing(formatNarInfo(Object.fromEntries(said) as unknown as NarInfo));
    expect(result).toMatchObject({ status, message: expect.stringContaining(`${narKey} ${reason}`) });
    expect(await env.BUCKET.head(key)).toBeNull();
    expect(await rowsOf("SELECT * FROM publications")).toEqual([]);
  });

  it("that was uploaded in parts keeps what has been found out of it", async () => {
    const path = await testPath();
    const upload = await env.BUCKET.createMultipartUpload(path.narKey);
    await upload.complete([await upload.uploadPart(1, path.nar)]);
    await publishing(path.text);
    const etag = (await env.BUCKET.head(path.narKey))?.etag;
    expect(await rowsOf("SELECT content, facts_etag FROM nars")).toEqual([
      { content: "verified", facts_etag: etag },
    ]);
  });

  it("that vanishes while it is to be hashed is not waited for", async () => {
    const path = await testPath();
    await env.BUCKET.put(path.narKey, path.nar);
    const vanishes = meanwhile(
      ({ name, isRanged }) => name === "get" && !isRanged,
      () => env.BUCKET.delete(path.narKey),
    );
    expect((await publishing(path.text, vanishes)).result).toMatchObject({
      status: 409,
      message: expect.stringContaining("was replaced or deleted at this moment"),
    });
  });
});
