/** Content addresses that real Nix gave, checked against the NARs of their paths, and against others. */
import { describe, expect, test } from "vitest";
import { storePathOfContentAddress } from "../../src/nix/content-address.ts";
import type { HashAlgorithm } from "../../src/nix/hash.ts";
import { checkBaseName } from "../../src/nix/store-path.ts";
import type { AddressClaim } from "../../src/verify/addresses.ts";
import { narFacts } from "../../src/verify/facts.ts";
import { hasher } from "../../src/verify/hasher.ts";
import madeByNix from "../fixtures/content-address-nars.json";
import { narOfFile } from "../support/nar.ts";
import { bytesOf } from "../support/store-paths.ts";
import { cutAt, streamOf } from "./support.ts";

async function check(chunks: Uint8Array[], ...addresses: AddressClaim[]) {
  const outcome = await narFacts(streamOf(chunks), { compression: "none", maxNarSize: 1e6, addresses });
  return outcome.kind === "facts" ? outcome.addresses : outcome.kind;
}

describe.each(madeByNix)("Nix $nix, $made, $ca", ({ made, baseName, ca, references, nar }) => {
  const { hash, name } = checkBaseName(baseName);
  const bytes = Uint8Array.fromBase64(nar);
  const self = references.includes(baseName) ? { self: hash } : {};
  const claim = { ca, ...self };

  test("is the address of its NAR, in chunks of any size, and gives its path", async () => {
    expect(await check([bytes], claim)).toEqual([true]);
    for (const size of [1, 7, 31, 32, 33, 100]) {
      const cuts = Array.from({ length: Math.floor(bytes.length / size) }, (_, at) => at * size);
      expect(await check(cutAt(bytes, cuts), claim), `chunks of ${size}`).toEqual([true]);
    }
    expect(await storePathOfContentAddress(ca, name, references, "/nix/store", baseName)).toBe(baseName);
  });

  test("is not the address of another NAR", async () => {
    // Only the NAR's own hash tells that a single file is executable.
    const isFile = !ca.startsWith("fixed:r:") && !made.endsWith("tree");
    for (const other of madeByNix) {
      if (other.nar === nar || (isFile && /\.(txt|sh)$/.test(other.baseName))) continue;
      expect(await check([Uint8Array.fromBase64(other.nar)], claim), other.made).toEqual([false]);
    }
  });

  test("is checked beside another that is not right", async () => {
    const other = ca.replace(/:[^:]+$/, (hash) => `:${"1".repeat(hash.length - 1)}`);
    expect(await check([bytes], { ca: other, ...self }, claim)).toEqual([false, true]);
  });
});

test("self-references count as zeros only for the path that they name", async () => {
  for (const { ca, nar, made } of madeByNix.filter(({ made }) => made.includes("make-content-addressed"))) {
    const bytes = Uint8Array.fromBase64(nar);
    expect(await check([bytes], { ca, self: "0".repeat(32) }), made).toEqual([false]);
  }
});

describe("a hash part in the place of zeros", () => {
  const hash = "7iiam1n5i00ih4nvgz7q2d4qdx54ha6n";
  const narWith = (middle: string) => narOfFile(bytesOf(`begin ${middle} end`));
  const honest = "\0".repeat(32);

  test.each(["fixed:sha256", "fixed:sha1", "fixed:blake3", "text:sha256"])(
    "is other content: %s",
    async (kind) => {
      const file = bytesOf(`begin ${honest} end`);
      const algorithm = kind.split(":")[1] as HashAlgorithm;
      const ca = `${kind}:${hasherOf(algorithm, file).toHex()}`;
      expect(await check([narWith(honest)], { ca })).toEqual([true]);
      expect(await check([narWith(hash)], { ca })).toEqual([false]);
      // A file's address never depends on the path, whatever its references say.
      expect(await check([narWith(hash)], { ca, self: hash })).toEqual([false]);
    },
  );

  test("is other content in a NAR without a self-reference, and the same with one", async () => {
    const ca = `fixed:r:sha256:${hasherOf("sha256", narWith(honest)).toHex()}`;
    expect(await check([narWith(hash)], { ca })).toEqual([false]);
    expect(await check([narWith(hash)], { ca, self: hash })).toEqual([true]);
  });
});

test("what is no content address that Nix knows cannot be told", async () => {
  const nar = Uint8Array.fromBase64(madeByNix[0]?.nar ?? "");
  for (const ca of ["", "x", "fixed:x:sha256:0", `fixed:r:blake9:${"0".repeat(64)}`]) {
    expect(await check([nar], { ca })).toEqual([undefined]);
  }
});

function hasherOf(algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array {
  const hash = hasher(algorithm);
  hash.update(bytes);
  return hash.digest();
}
