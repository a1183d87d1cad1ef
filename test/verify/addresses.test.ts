/** Content addresses that real Nix gave, checked against the NARs of their paths, and against others. */
import { describe, expect, test } from "vitest";
import { storePathOfContentAddress } from "../../src/nix/content-address.ts";
import { checkBaseName } from "../../src/nix/store-path.ts";
import { narFacts } from "../../src/verify/facts.ts";
import madeByNix from "../fixtures/content-address-nars.json";
import { cutAt, streamOf } from "./support.ts";

async function check(chunks: Uint8Array[], ...addresses: { ca: string; storePathHash: string }[]) {
  const outcome = await narFacts(streamOf(chunks), { compression: "none", maxNarSize: 1e6, addresses });
  return outcome.kind === "facts" ? outcome.addresses : outcome.kind;
}

describe.each(madeByNix)("Nix $nix, $made, $ca", ({ made, baseName, ca, references, nar }) => {
  const { hash: storePathHash, name } = checkBaseName(baseName);
  const bytes = Uint8Array.fromBase64(nar);
  const claim = { ca, storePathHash };

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
    expect(await check([bytes], { ca: other, storePathHash }, claim)).toEqual([false, true]);
  });
});

test("self-references count as zeros only for the path that they name", async () => {
  for (const { ca, nar, made } of madeByNix.filter(({ made }) => made.includes("make-content-addressed"))) {
    const bytes = Uint8Array.fromBase64(nar);
    expect(await check([bytes], { ca, storePathHash: "0".repeat(32) }), made).toEqual([false]);
  }
});

test("what is no content address that Nix knows cannot be told", async () => {
  const nar = Uint8Array.fromBase64(madeByNix[0]?.nar ?? "");
  for (const ca of ["", "x", "fixed:x:sha256:0", `fixed:r:blake9:${"0".repeat(64)}`]) {
    expect(await check([nar], { ca, storePathHash: "0".repeat(32) })).toEqual([undefined]);
  }
});
