// What a NAR contains is verified, without a Nix: whatever lies is refused or gone within a minute, whatever is honest
// is verified.
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { formatHash, type Hash } from "../../src/nix/hash.ts";
import { formatNarInfo } from "../../src/nix/narinfo.ts";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { newKey } from "./keys.ts";
import { hashOf, LARGE_BYTES, type Lie, laundered, narOfFile, pathOf, push, signedBy } from "./lies.ts";
import { serve } from "./serve.ts";
import type { Server } from "./server.ts";
import { expectVerified, narinfoOf, until } from "./verifying.ts";

const cacheKey = newKey("cache.test-1");
const builderKey = newKey("builder.test-1");

const base16 = (hash: Hash) => `${hash.algorithm}:${hash.bytes.toHex()}`;

/** Pushes a lie: refused with a reason, or gone within a minute. The cache's key never vouches for it. */
async function expectRefusedOrGone(server: Server, lie: Lie, text?: string): Promise<void> {
  const { hash } = lie.info.storePath;
  const { status, answer } = await push(server.url, lie, text);
  if (status >= 400) {
    expect([400, 403, 409], answer).toContain(status);
  }
  const gone = await until(
    () => narinfoOf(server, hash),
    (narinfo) => narinfo === undefined,
  );
  expect(gone).toBeUndefined();
  // The NAR goes after its narinfo.
  const expected = status >= 400 ? 200 : 404;
  const nar = async () => (await fetch(`${server.url}/${lie.info.url}`)).status;
  expect(await until(nar, (answer) => answer === expected)).toBe(expected);
}

/** Of each size: small ones are read while the client waits, large ones afterwards. */
const SIZES = [
  ["small", 1000],
  ["large", LARGE_BYTES],
] as const;

const CONFIGURATIONS = [
  ["with a signing key alone", {}],
  ["with trusted keys", { TRUSTED_PUBLIC_KEYS: builderKey.public }],
] as const;

describe.each(CONFIGURATIONS)("%s", (_, variables) => {
  const server = serve({
    PUSH_TOKEN: "push",
    ADMIN_TOKEN: "admin",
    SIGNING_KEY: cacheKey.secret,
    ...variables,
  });
  const signed = (lie: Lie) => signedBy(builderKey.secret, lie);

  describe.each(SIZES)("%s NARs", (_, size) => {
    const contents = () => randomBytes(size).toString("hex").slice(0, size);

    test.each(["none", "zstd", "gzip", "br"] as const)("honest, with %s", async (compression) => {
      const path = await signed(pathOf(contents(), compression));
      expect((await push(server.url, path)).status).toBe(201);
      await expectVerified(server, path.info.storePath.hash);
      expect(await narinfoOf(server, path.info.storePath.hash)).toContain("\nSig: cache.test-1:");
    });

    test.each(["none", "zstd", "gzip", "br"] as const)("another NarHash, with %s", async (compression) => {
      const lie = pathOf(contents(), compression, { narHash: hashOf("something else") });
      await expectRefusedOrGone(server, await signed(lie));
    });

    test.each(["zstd", "br"] as const)("another NarSize, with %s", async (compression) => {
      const honest = pathOf(contents(), compression);
      for (const narSize of [honest.info.narSize - 8, honest.info.narSize + 8]) {
        const lie = { ...honest, info: { ...honest.info, narSize } };
        await expectRefusedOrGone(server, await signed(lie));
      }
    });

    test("a NAR that ends early, goes on, or is none", async () => {
      for (const change of [
        (nar: Buffer) => nar.subarray(0, -8),
        (nar: Buffer) => Buffer.concat([nar, Buffer.alloc(8)]),
        (nar: Buffer) => Buffer.concat([nar.subarray(0, 24), randomBytes(nar.length)]),
      ]) {
        const nar = change(narOfFile(contents()));
        const { zstdCompressSync } = await import("node:zlib");
        const file = zstdCompressSync(nar);
        const fileHash = hashOf(file);
        const url = `nar/${encodeNix32(fileHash.bytes)}.nar.zst`;
        const lie = pathOf("", "zstd", { narHash: hashOf(nar), narSize: nar.length, fileHash, url });
        await expectRefusedOrGone(
          server,
          await signed({ file, info: { ...lie.info, fileSize: file.length } }),
        );
      }
    });

    test("junk that is declared as zstd, xz, gzip or bzip2", async () => {
      for (const compression of ["zstd", "xz", "gzip", "bzip2"] as const) {
        const file = randomBytes(size);
        const fileHash = hashOf(file);
        const lie = pathOf(contents(), "zstd", {
          compression,
          url: `nar/${encodeNix32(fileHash.bytes)}.nar`,
          fileHash,
          fileSize: file.length,
        });
        await expectRefusedOrGone(server, await signed({ ...lie, file }));
      }
    });

    test("a plain NAR that is declared as gzip", async () => {
      const honest = pathOf(contents(), "none");
      const lie = { ...honest, info: { ...honest.info, compression: "gzip" as const } };
      await expectRefusedOrGone(server, await signed(lie));
    });

    describe("evil content under a true content address", () => {
      const real = randomBytes(64).toString("hex");
      test.each([
        ["fixed:sha256", `fixed:${base16(hashOf(real))}`],
        ["fixed:sha1", `fixed:${base16(hashOf(real, "sha1"))}`],
        ["fixed:md5", `fixed:${base16(hashOf(real, "md5"))}`],
        ["fixed:sha512", `fixed:${base16(hashOf(real, "sha512"))}`],
        ["text:sha256", `text:${base16(hashOf(real))}`],
        ["fixed:r:sha1", `fixed:r:${base16(hashOf(narOfFile(real), "sha1"))}`],
        ["fixed:r:sha512", `fixed:r:${base16(hashOf(narOfFile(real), "sha512"))}`],
      ])("%s", async (_, ca) => {
        const lie = await laundered(ca, pathOf(contents()));
        const { status } = await push(server.url, lie);
        if (status < 400 && "TRUSTED_PUBLIC_KEYS" in variables) {
          // Until it is verified it is served unsigned.
          expect((await narinfoOf(server, lie.info.storePath.hash)) ?? "").not.toContain("Sig:");
        }
        await expectRefusedOrGone(server, lie);
        expect(await narinfoOf(server, lie.info.storePath.hash)).toBeUndefined();
      });
    });

    test("true content under its content address is signed once it is verified", async () => {
      const text = contents();
      for (const ca of [
        `fixed:${base16(hashOf(text))}`,
        `fixed:r:${base16(hashOf(narOfFile(text), "sha1"))}`,
      ]) {
        const path = await laundered(ca, pathOf(text));
        expect((await push(server.url, path)).status).toBe(201);
        await expectVerified(server, path.info.storePath.hash);
        const narinfo = await until(
          () => narinfoOf(server, path.info.storePath.hash),
          (answer) => answer?.includes("Sig: cache.test-1:") === true,
        );
        expect(narinfo).toContain("\nSig: cache.test-1:");
      }
    });
  });

  test("an existing path, sent again with a URL that points to junk", async () => {
    const path = await signed(pathOf(randomBytes(LARGE_BYTES).toString("hex")));
    expect((await push(server.url, path)).status).toBe(201);
    const { hash } = path.info.storePath;
    const file = randomBytes(24);
    const fileHash = hashOf(file);
    const poison = {
      ...path.info,
      fileHash,
      fileSize: 24,
      url: `nar/${encodeNix32(fileHash.bytes)}.nar.zst`,
    };
    await push(server.url, { file, info: poison });
    expect(await narinfoOf(server, hash)).toContain(`\nURL: ${path.info.url}\n`);
    await expectVerified(server, hash);
  });

  test("a path that was poisoned first is healed by an honest push, at once", async () => {
    const path = await signed(pathOf(randomBytes(LARGE_BYTES).toString("hex")));
    const { hash } = path.info.storePath;
    const other = pathOf(randomBytes(LARGE_BYTES).toString("hex"));
    const { url, fileHash, fileSize } = other.info;
    const poison = {
      ...path.info,
      url,
      ...(fileHash && { fileHash }),
      ...(fileSize !== undefined && { fileSize }),
    };
    await push(server.url, { file: other.file, info: poison });
    const { status, answer } = await push(server.url, path);
    expect([200, 201], answer).toContain(status);
    expect(await narinfoOf(server, hash)).toContain(`\nURL: ${path.info.url}\n`);
    await expectVerified(server, hash);
  });

  test("nothing but signatures is added by a later push, and of these 32", async () => {
    const path = await signed(pathOf("as it was first"));
    const { hash } = path.info.storePath;
    await push(server.url, path);
    const before = await narinfoOf(server, hash);
    const signatures = Array.from(
      { length: 8000 },
      (_, index) => `other-${index}:${randomBytes(64).toString("base64")}`,
    );
    const deriver = `${"0".repeat(32)}-other.drv`;
    const text = `${formatNarInfo({ ...path.info, deriver, signatures: [...path.info.signatures, ...signatures] })}System: other\nX-Evil: yes\n`;
    await push(server.url, path, text);
    const after = (await narinfoOf(server, hash)) ?? "";
    expect(after.match(/^Sig: /gm)?.length).toBeLessThanOrEqual(32);
    expect(after.replace(/^Sig: .*\n/gm, "")).toBe(before?.replace(/^Sig: .*\n/gm, ""));
    for (const name of ["builder.test-1", "cache.test-1"]) expect(after).toContain(`\nSig: ${name}:`);
  });

  test("a NAR without FileHash and FileSize, and with a false NarHash", async () => {
    const honest = pathOf("plain", "none");
    const lie = await signed({ ...honest, info: { ...honest.info, narHash: hashOf("false") } });
    const { fileHash: _, fileSize: __, ...info } = lie.info;
    await expectRefusedOrGone(server, { ...lie, info }, formatNarInfo(info));
    expect(formatHash(lie.info.narHash)).toMatch(/^sha256:/);
  });
});
