// Compares our narinfo parser with a real Nix: both must accept the same narinfos and read the same in them.
// `MUTANTS=10000 SEED=...` tries more than the default few hundred.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseContentAddress } from "../../src/nix/content-address.ts";
import { FormatError } from "../../src/nix/format-error.ts";
import { equalHash, parseHash } from "../../src/nix/hash.ts";

import { type NarInfo, parseNarInfo } from "../../src/nix/narinfo.ts";
import { parsePublishable } from "../../src/nix/publishable.ts";
import { isReadBySomeNix, normalizeNarInfo } from "../../src/nix/stored-narinfo.ts";
import { type Difference, ONLY_NIX_ACCEPTS, ONLY_WE_ACCEPT } from "./differences.ts";
import { type Mutant, mutants } from "./mutants.ts";
import { describeNix, nixAtLeast, removeScratch } from "./nix.ts";
import { type NixCache, showToNix, type Understood } from "./verdicts.ts";

const STORE = "/nix/store";
const SEED = Number(process.env.SEED ?? 1);
const MUTANTS = Number(process.env.MUTANTS ?? 500);

/** Our reading of a mutant: the narinfo, or the reason for refusing it. */
function ours({ text, hash }: Mutant): NarInfo | string {
  try {
    return parsePublishable(text, `${hash}.narinfo`, STORE);
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    throw error;
  }
}

/** The catalog's reading of a mutant that is in the bucket, whatever its URL. */
function stored({ text, hash }: Mutant): NarInfo | undefined {
  try {
    const info = parseNarInfo(normalizeNarInfo(text), STORE);
    return info.storePath.hash === hash ? info : undefined;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

function refusal(text: string, hash: string): string {
  try {
    const { storePath } = parseNarInfo(normalizeNarInfo(text), STORE);
    return storePath.hash === hash ? "" : "is another path";
  } catch (error) {
    return error instanceof FormatError ? error.message : String(error);
  }
}

/** What Nix accepts and the catalog keeps without knowing it: no Nix, or only an old one, can use the path. */
const UNINDEXED = [
  /^(URL|Compression|Sig|CA|Deriver|References|StorePath): /,
  /^(NarHash|FileHash): .* must be a sha256 hash/,
  /^lines must end in LF/,
];

/** What is pushed must suit every Nix. 2.3 takes names and content addresses of any characters. */
const isStrict = nixAtLeast(2, 4);

describeNix("narinfos that were tampered with", () => {
  const all = mutants(SEED, MUTANTS);
  let nix: NixCache;
  beforeAll(async () => {
    nix = await showToNix(all);
  });
  afterAll(removeScratch);

  const weRefuse = () =>
    all.flatMap((mutant) => {
      const verdict = ours(mutant);
      return typeof verdict === "string" ? [{ mutant, refusal: verdict }] : [];
    });
  const weAccept = () =>
    all.flatMap((mutant) => {
      const verdict = ours(mutant);
      return typeof verdict === "string" ? [] : [{ mutant, info: verdict }];
    });

  test("some are accepted and some refused, by either", () => {
    expect(weAccept().length).toBeGreaterThan(100);
    expect(weRefuse().length).toBeGreaterThan(100);
    expect(all.filter((mutant) => nix.verdictOf(mutant) === "accepts").length).toBeGreaterThan(100);
    expect(all.filter((mutant) => nix.verdictOf(mutant) === "refuses").length).toBeGreaterThan(100);
  });

  test.skipIf(!isStrict)("what we refuse, Nix refuses, or the table says why", () => {
    const found = weRefuse().filter(({ mutant }) => nix.verdictOf(mutant) === "accepts");
    const unknown = found.filter(({ refusal }) => !isIn(ONLY_NIX_ACCEPTS, refusal));
    expect(unknown.map(({ mutant, refusal }) => [mutant.name, refusal])).toEqual([]);
  });

  test.skipIf(!isStrict)("what we accept, Nix accepts, or the table says why", () => {
    const found = weAccept().filter(({ mutant }) => nix.verdictOf(mutant) !== "accepts");
    const unknown = found.filter(({ mutant }) => !isIn(ONLY_WE_ACCEPT, mutant.name));
    expect(unknown.map(({ mutant }) => [mutant.name, nix.verdictOf(mutant), mutant.text])).toEqual([]);
  });

  describe.skipIf(!isStrict)(
    "each difference in the table is one, and none with a Nix that agrees with us",
    () => {
      test.each(ONLY_NIX_ACCEPTS)("Nix accepts: $when", (row) => {
        const found = weRefuse().filter(
          ({ mutant, refusal }) => row.when.test(refusal) && nix.verdictOf(mutant) === "accepts",
        );
        expect(found.length > 0).toBe(isExpected(row) ?? found.length > 0);
      });

      test.each(ONLY_WE_ACCEPT)("we accept: $when", (row) => {
        const found = weAccept().filter(
          ({ mutant }) => row.when.test(mutant.name) && nix.verdictOf(mutant) !== "accepts",
        );
        expect(found.length > 0).toBe(isExpected(row) ?? found.length > 0);
      });
    },
  );

  test("what both accept, both read alike", () => expectAlike(weAccept()));

  /** Holds our reading of narinfos against Nix's, where it accepts them. */
  async function expectAlike(ours: readonly { mutant: Mutant; info: NarInfo }[]): Promise<void> {
    const both = ours.filter(({ mutant }) => nix.verdictOf(mutant) === "accepts");
    const understood = await nix.understood(both.map(({ mutant }) => mutant));
    expect(understood.size).toBe(both.length);
    for (const { mutant, info } of both) {
      const theirs = understood.get(mutant.hash);
      if (theirs === undefined) throw new Error(`Nix has understood nothing of: ${mutant.name}`);
      expect(facts(theirs), mutant.name).toEqual(factsOfOurs(info));
      expect(equalHash(parseHash(theirs.narHash), info.narHash), mutant.name).toBe(true);
    }
  }

  describe("in a bucket that another program has filled", () => {
    const weRead = () =>
      all.flatMap((mutant) => {
        const info = stored(mutant);
        return info === undefined ? [] : [{ mutant, info }];
      });

    test("a repair keeps what Nix accepts", () => {
      const lost = all.filter(
        (mutant) => nix.verdictOf(mutant) === "accepts" && !isReadBySomeNix(mutant.text, mutant.hash),
      );
      expect(lost.map(({ name, text }) => [name, text])).toEqual([]);
    });

    test("a repair deletes many of what Nix refuses", () => {
      const gone = all.filter((mutant) => !isReadBySomeNix(mutant.text, mutant.hash));
      expect(gone.length).toBeGreaterThan(100);
    });

    test("the catalog knows what Nix accepts, or the table says why", () => {
      const known = new Set(weRead().map(({ mutant }) => mutant));
      const unknown = all.filter((mutant) => nix.verdictOf(mutant) === "accepts" && !known.has(mutant));
      const others = unknown.filter(
        ({ text, hash }) => !UNINDEXED.some((why) => why.test(refusal(text, hash))),
      );
      expect(others.map(({ name, text, hash }) => [name, refusal(text, hash)])).toEqual([]);
    });

    test("it reads the same in them", () => expectAlike(weRead()));
  });
});

function isIn(table: readonly Difference[], what: string): boolean {
  return table.some((row) => row.when.test(what) && isExpected(row) !== false);
}

function isExpected({ isIn }: Difference): boolean | undefined {
  return isIn === undefined ? true : isIn();
}

function facts(info: Understood) {
  return {
    // What is not exact as a number counts as the largest that is.
    narSize: Math.min(info.narSize, Number.MAX_SAFE_INTEGER),
    references: [...info.references].sort(),
    deriver: info.deriver ?? undefined,
    signatures: [...(info.signatures ?? [])].sort(),
    ca: info.ca ? parseContentAddress(info.ca) : undefined,
    url: info.url,
    downloadSize: Math.min(info.downloadSize ?? 0, Number.MAX_SAFE_INTEGER),
  };
}

function factsOfOurs(info: NarInfo): ReturnType<typeof facts> {
  return {
    narSize: info.narSize,
    references: info.references.map((reference) => `${STORE}/${reference}`).sort(),
    deriver: info.deriver && `${STORE}/${info.deriver}`,
    signatures: [...info.signatures].sort(),
    ca: info.ca === undefined ? undefined : parseContentAddress(info.ca),
    url: info.url,
    downloadSize: info.fileSize ?? 0,
  };
}
