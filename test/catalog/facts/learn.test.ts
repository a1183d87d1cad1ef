// What a publication learns of a NAR's content from its first bytes and from what the bucket has recorded.
import { reset } from "cloudflare:test";
import { zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import type { WholeNar } from "../../../src/bucket/stored-nar.ts";
import { INLINE_FILE_BYTES, type Learnt, learnContent } from "../../../src/catalog/facts/learn.ts";
import { announceNar } from "../../../src/catalog/publish/announce-nar.ts";
import { factsOf, saveFacts } from "../../../src/catalog/rows/nar-facts.ts";
import { formatHash } from "../../../src/nix/hash.ts";
import type { NarInfo } from "../../../src/nix/narinfo.ts";
import { largePath } from "../../support/lies.ts";
import { inCatalog } from "../../support/runs.ts";
import {
  bytesOf,
  compressed,
  compressedPath,
  sha256,
  type TestPath,
  testPath,
} from "../../support/store-paths.ts";

afterEach(() => reset());

const CONTENTS = "of a file";
const ETAG = "etag of now";
/** Bytes of a NAR that is not unpacked during a publication, however small its file is. */
const LARGE_NAR_BYTES = 200_000;

function wholeNar({ nar, info }: TestPath, changes: Partial<WholeNar> = {}): WholeNar {
  return {
    ...{ kind: "whole", fileSize: nar.length, etag: ETAG, first: nar.slice(0, INLINE_FILE_BYTES) },
    ...(info.fileHash && { fileHash: info.fileHash }),
    ...changes,
  };
}

async function learn(
  path: TestPath,
  { nar = wholeNar(path), info = {}, verify = "after" }: Learning = {},
): Promise<Learnt> {
  return await inCatalog((c) =>
    learnContent({ ...c, config: { ...c.config, verify } }, { ...path.info, ...info }, nar),
  );
}

interface Learning {
  readonly nar?: WholeNar;
  readonly info?: Partial<NarInfo>;
  readonly verify?: "after" | "off";
}

describe("a small NAR", () => {
  it.each([
    ["none", () => testPath()],
    ["zstd", () => compressedPath("hello-1.0")],
  ])("with compression %s is unpacked at once", async (compression, make) => {
    const path = await make();
    const { narHash, narSize } = path.info;
    const content = { kind: "nar", hash: formatHash(narHash), size: narSize, addresses: {} };
    for (const verify of ["after", "off"] as const) {
      expect(await learn(path, { verify })).toEqual({
        ...{ verdict: { kind: "verified" }, isQueued: false },
        known: { etag: ETAG, facts: { [compression]: content } },
      });
    }
  });

  it("that is another one is false at once", async () => {
    const [path, other] = [await compressedPath("a"), await compressedPath("b")];
    expect(await learn(path, { nar: wholeNar(other) })).toMatchObject({
      verdict: { kind: "false", reason: expect.stringMatching(/^contains a NAR with sha256:\w{52} and/) },
      isQueued: false,
    });
  });

  it("that is cut is false at once", async () => {
    const path = await testPath();
    const nar = wholeNar({ ...path, nar: path.nar.slice(0, -8) }, { fileSize: path.nar.length - 8 });
    expect(await learn(path, { nar })).toMatchObject({
      verdict: { kind: "false", reason: expect.stringMatching(/^is false: /) },
      isQueued: false,
    });
  });
});

describe("a NAR that is too large to be unpacked at once", () => {
  it.each([
    ["waits by its file", () => largePath("a")],
    ["waits by what it claims to unpack to", () => compressedPath("a", "x".repeat(LARGE_NAR_BYTES))],
  ])("%s", async (_, make) => {
    const path = await make();
    expect(await learn(path)).toEqual({ verdict: { kind: "waiting" }, isQueued: true });
    expect(await learn(path, { verify: "off" })).toEqual({ verdict: { kind: "waiting" }, isQueued: false });
  });

  describe("and is not compressed", () => {
    const large = () => testPath("large", "x".repeat(LARGE_NAR_BYTES));

    it("has the hash and the size that the bucket has recorded, and is still to be read", async () => {
      const path = await large();
      const { narHash, narSize } = path.info;
      const recorded = {
        kind: "nar",
        hash: formatHash(narHash),
        size: narSize,
        addresses: {},
        isUnread: true,
      };
      expect(await learn(path)).toEqual({
        ...{ verdict: { kind: "verified" }, isQueued: true },
        known: { etag: ETAG, facts: { none: recorded } },
      });
    });

    it.each<[string, (path: TestPath) => Promise<Partial<NarInfo>>]>([
      ["another NarHash", async () => ({ narHash: await sha256(bytesOf("other")) })],
      ["another NarSize", async ({ info }) => ({ narSize: info.narSize + 8 })],
    ])("and claims %s is false at once", async (_, claim) => {
      const path = await large();
      expect((await learn(path, { info: await claim(path) })).verdict).toMatchObject({ kind: "false" });
    });

    it("waits where the bucket has recorded no hash", async () => {
      const path = await large();
      const { fileHash, ...nar } = wholeNar(path);
      expect(fileHash).toBeDefined();
      expect(await learn(path, { nar })).toEqual({ verdict: { kind: "waiting" }, isQueued: true });
    });
  });
});

describe("a file that does not begin like its compression is false, large or small:", () => {
  it.each<[string, string, Uint8Array<ArrayBuffer>, string]>([
    ["text as none", "none", bytesOf("junk"), "a NAR file"],
    ["text as xz", "xz", bytesOf("junk"), "a xz file"],
    ["zstd as gzip", "gzip", new Uint8Array(zstdCompressSync(bytesOf("x"))), "a gzip file"],
    ["much text as xz", "xz", bytesOf("x".repeat(INLINE_FILE_BYTES + 1)), "a xz file"],
    ["nothing as none", "none", new Uint8Array(0), "a NAR file"],
    ["nothing as br, which has no magic number", "br", new Uint8Array(0), "a br file"],
  ])("%s", async (_, compression, nar, kind) => {
    const path = await testPath();
    const learnt = await learn(path, {
      nar: wholeNar({ ...path, nar }),
      info: { compression: compression as NarInfo["compression"] },
    });
    expect(learnt.verdict).toEqual({ kind: "false", reason: `does not begin like ${kind}` });
    expect(learnt.known).toBeUndefined();
  });
});

describe("what is known already", () => {
  const FACTS = { zstd: { kind: "unverifiable", reason: "read before" } } as const;

  it("of this object counts, and is not looked into again", async () => {
    const path = await compressedPath("a");
    await inCatalog(async (c) => {
      await announceNar(c, { key: path.narKey, size: path.nar.length });
      saveFacts(c, path.narKey, { facts: FACTS, etag: ETAG });
    });
    expect(await learn(path)).toEqual({ verdict: FACTS.zstd, isQueued: false });
  });

  it("of an object that has been replaced is forgotten", async () => {
    const path = await compressedPath("a");
    await inCatalog(async (c) => {
      await announceNar(c, { key: path.narKey, size: path.nar.length });
      saveFacts(c, path.narKey, { facts: FACTS, etag: "etag of before" });
    });
    expect(await learn(path)).toMatchObject({ verdict: { kind: "verified" }, known: { etag: ETAG } });
    await inCatalog((c) => expect(factsOf(c, path.narKey)).toBeUndefined());
  });
});

describe("several content addresses of one NAR", () => {
  it("are each checked once, and stay known", async () => {
    const path = await compressed(await testPath("file", CONTENTS, { references: [] }));
    const sha1 = new Uint8Array(await crypto.subtle.digest("SHA-1", bytesOf(CONTENTS)));
    const right = [
      `fixed:${formatHash(await sha256(bytesOf(CONTENTS)))}`,
      `fixed:${formatHash({ algorithm: "sha1", bytes: sha1 })}`,
    ];
    const wrong = `fixed:${formatHash(await sha256(bytesOf("another file")))}`;
    await inCatalog((c) => announceNar(c, { key: path.narKey, size: path.nar.length }));
    for (const ca of [...right, wrong]) {
      const { verdict, known } = await learn(path, { info: { ca } });
      expect(verdict.kind).toBe(ca === wrong ? "false" : "verified");
      if (known === undefined) throw new Error(`${ca} was not checked`);
      await inCatalog((c) => saveFacts(c, path.narKey, known));
    }
    const facts = await inCatalog((c) => factsOf(c, path.narKey)?.facts);
    expect(facts).toMatchObject({
      zstd: { addresses: { [right[0] ?? ""]: true, [right[1] ?? ""]: true, [wrong]: false } },
    });
    for (const ca of [undefined, ...right]) {
      expect(await learn(path, { info: ca === undefined ? {} : { ca } })).toEqual({
        ...{ verdict: { kind: "verified" }, isQueued: false },
      });
    }
  });
});
