// Two pushes of one path that contradict each other, and content that only seems to have its address.
import { reset } from "cloudflare:test";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { storePathOfContentAddress } from "../../../src/nix/content-address.ts";
import { fingerprint } from "../../../src/nix/fingerprint.ts";
import { generateSecretKey, parseSecretKey, sign } from "../../../src/nix/keys.ts";
import { formatNarInfo, type NarInfo } from "../../../src/nix/narinfo.ts";
import { cacheWith, type TestCache } from "../../support/cache.ts";
import { largePath } from "../../support/lies.ts";
import { captureLog } from "../../support/log.ts";
import { narOfFile } from "../../support/nar.ts";
import { bytesOf, narKeyOf, pathOfNar, push, sha256, type TestPath } from "../../support/store-paths.ts";
import { verifyAll } from "../../support/verifying.ts";

captureLog();
afterEach(reset);

const OWN = await generateSecretKey("own-1");
const TRUSTED = await generateSecretKey("trusted-1");
const KEYS = { SIGNING_KEY: OWN.secret, TRUSTED_PUBLIC_KEYS: TRUSTED.public };

/** The path with another file, as if that were its NAR in this compression. */
async function withFile(
  path: TestPath,
  compression: NarInfo["compression"],
  file: Uint8Array<ArrayBuffer>,
): Promise<TestPath> {
  const url = await narKeyOf(file, ".nar");
  const info = { ...path.info, url, compression, fileHash: await sha256(file), fileSize: file.length };
  return { ...path, narKey: url, nar: file, info, text: formatNarInfo(info) };
}

async function signed(path: TestPath): Promise<TestPath> {
  const signature = await sign(await parseSecretKey(TRUSTED.secret), fingerprint(path.info));
  const info = { ...path.info, signatures: [signature] };
  return { ...path, info, text: formatNarInfo(info) };
}

/** More bytes than a publication unpacks, packed and not. */
async function plainPath(): Promise<TestPath> {
  const bytes = new Uint8Array(40_000);
  crypto.getRandomValues(bytes);
  const { info } = await largePath("a");
  return pathOfNar(narOfFile(bytesOf(bytes.toBase64())), info.storePath.baseName, { references: [] });
}

async function field(cache: TestCache, path: TestPath, name: string): Promise<string | undefined> {
  const { text } = await cache.get(`/${path.key}`);
  return new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1];
}

describe("content with the path's own hash part where its address has zeros", () => {
  const ZEROS = "\0".repeat(32);
  const fileWith = (middle: string) => bytesOf(`#!/bin/sh\n${middle}real`);

  it.each(["fixed:sha256", "text:sha256"])("gets no signature: %s", async (kind) => {
    const cache = cacheWith(KEYS);
    const ca = `${kind}:${(await sha256(fileWith(ZEROS))).bytes.toHex()}`;
    for (const name of ["src.tar", "other.tar"]) {
      const baseName = (await storePathOfContentAddress(ca, name, [], "/nix/store")) ?? "";
      const evil = narOfFile(fileWith(baseName.slice(0, 32)));
      const path = await pathOfNar(evil, baseName, { references: [], ca });
      expect((await push(cache, path)).text).toContain(`does not have the content address ${ca}`);
      expect((await cache.get(`/${path.key}`)).status, name).toBe(404);
    }
  });

  it("honest content is signed", async () => {
    const cache = cacheWith(KEYS);
    const ca = `fixed:sha256:${(await sha256(fileWith(ZEROS))).bytes.toHex()}`;
    const baseName = (await storePathOfContentAddress(ca, "src.tar", [], "/nix/store")) ?? "";
    const path = await pathOfNar(narOfFile(fileWith(ZEROS)), baseName, { references: [], ca });
    expect((await push(cache, path)).status).toBe(201);
    expect(await field(cache, path, "Sig")).toMatch(/^own-1:/);
  });
});

describe("a NAR that cannot be verified", () => {
  it("gives way to one that can, of the same trusted narinfo", async () => {
    const cache = cacheWith(KEYS);
    const honest = await signed(await largePath("a", { references: [] }));
    const junk = await withFile(honest, "lzma", bytesOf("no NAR at all"));
    expect((await push(cache, junk)).status).toBe(201);
    await verifyAll();
    expect((await push(cache, honest)).status).toBe(200);
    await verifyAll();
    expect(await field(cache, honest, "URL")).toBe(honest.narKey);
  });

  it("gives way to content that has the address of the path", async () => {
    const cache = cacheWith();
    const file = bytesOf("#!/bin/sh");
    const ca = `fixed:sha256:${(await sha256(file)).bytes.toHex()}`;
    const baseName = (await storePathOfContentAddress(ca, "script", [], "/nix/store")) ?? "";
    const honest = await pathOfNar(narOfFile(file), baseName, { references: [], ca });
    const other = await pathOfNar(narOfFile(bytesOf("evil")), baseName, { references: [], ca });
    expect((await push(cache, await withFile(other, "lzma", bytesOf("junk")))).status).toBe(201);
    await verifyAll();
    expect((await push(cache, honest)).status).toBe(200);
    expect(await field(cache, honest, "URL")).toBe(honest.narKey);
  });

  it("stays where the other one is no better", async () => {
    const cache = cacheWith();
    const path = await largePath("a", { references: [] });
    const first = await withFile(path, "lzma", bytesOf("one"));
    await push(cache, first);
    await push(cache, await withFile(path, "lzma", bytesOf("another")));
    expect(await field(cache, path, "URL")).toBe(first.narKey);
  });
});

describe("one file, declared in two compressions", () => {
  it.each(["br", "lzma", "bzip2", "xz"] as const)("%s first: the honest push heals it", async (lie) => {
    const cache = cacheWith();
    const path = await plainPath();
    const file = new Uint8Array(gzipSync(path.nar));
    await push(cache, await withFile(path, lie, file));
    const honest = await withFile(path, "gzip", file);
    expect((await push(cache, honest)).status).toBeLessThan(300);
    await verifyAll();
    expect(await field(cache, path, "Compression")).toBe("gzip");
    expect((await cache.put(`/${honest.key}`, honest.text)).status).toBe(200);
  });
});
