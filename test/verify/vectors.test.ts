/** Facts of the NARs that real Nix clients wrote, in each compression. */
import { describe, expect, test } from "vitest";
import { formatHash } from "../../src/nix/hash.ts";
import { parseNarInfo } from "../../src/nix/narinfo.ts";
import { narFacts } from "../../src/verify/facts.ts";
import { looksLike } from "../../src/verify/magic.ts";
import { narInfos } from "../nix/fixtures.ts";
import { listingText, narFile, streamOf } from "./support.ts";

describe.each(narInfos)("Nix $version, $folder, $hash", ({ version, folder, hash, text }) => {
  const { url, compression, narHash, narSize, ca, storePath, references } = parseNarInfo(text, "/nix/store");

  test("has the facts of its narinfo", async () => {
    const file = await narFile(`nix-${version}/${folder}/${url}`);
    const self = references.includes(storePath.baseName) ? { self: storePath.hash } : {};
    const addresses = ca === undefined ? [] : [{ ca, ...self }];
    const facts = await narFacts(streamOf([file]), {
      compression,
      maxNarSize: narSize,
      addresses,
      listing: true,
    });
    expect(facts).toMatchObject({
      kind: "facts",
      narHash: formatHash(narHash),
      narSize,
      addresses: addresses.map(() => true),
    });
    const listing = listingText(`nix-${version}/${folder}/${hash}.ls`);
    if (listing === undefined || facts.kind !== "facts") return;
    // Nix 2.8 writes the keys in another order.
    if (version === "2.8.0") expect(JSON.parse(facts.listing ?? "")).toEqual(JSON.parse(listing));
    else expect(facts.listing).toBe(listing);
  });

  test("looks like it is", async () => {
    expect(looksLike(await narFile(`nix-${version}/${folder}/${url}`), compression)).toBe(true);
  });
});
