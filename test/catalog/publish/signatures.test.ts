// When the cache signs a path, which signatures stay, and what forged ones cost.
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Verdict } from "../../../src/catalog/facts/verdict.ts";
import { MAX_SIGNATURES, withSignatures } from "../../../src/catalog/publish/signatures.ts";
import { fingerprint } from "../../../src/nix/fingerprint.ts";
import { formatHash } from "../../../src/nix/hash.ts";
import { generateSecretKey, parsePublicKey, parseSecretKey, sign } from "../../../src/nix/keys.ts";
import type { NarInfo } from "../../../src/nix/narinfo.ts";
import { signatureBy } from "../../support/catalog.ts";
import { inCatalog } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

afterEach(() => {
  vi.restoreAllMocks();
  return reset();
});

const OWN = await generateSecretKey("own-1");
const TRUSTED = await generateSecretKey("trusted-1");
const own = await parseSecretKey(OWN.secret);
const trusted = await parseSecretKey(TRUSTED.secret);

const { info } = await testPath("hello-1.0", undefined, { references: [] });
const CA = `fixed:r:${formatHash(info.narHash)}`;
const OWN_SIGNATURE = await sign(own, fingerprint(info));
const TRUSTED_SIGNATURE = await sign(trusted, fingerprint(info));
/** As many different bytes as are wanted, none of them a signature of the path. */
const forgedBy = (name: string, count: number) =>
  Array.from({ length: count }, (_, n) => {
    const bytes = new Uint8Array(64);
    new DataView(bytes.buffer).setUint32(0, n + 1);
    return `${name}:${bytes.toBase64()}`;
  });

/** The signatures that stay, of a cache with its own key. */
async function signed(
  changes: Partial<NarInfo>,
  verdict: Verdict["kind"],
  { trusts = true, owns = true } = {},
): Promise<string[]> {
  const keys = {
    signing: owns ? [own] : [],
    trusted: trusts ? [await parsePublicKey(TRUSTED.public)] : [],
    problems: [],
  };
  const said = { kind: verdict, reason: "for a reason" } as Verdict;
  const { signatures } = await inCatalog((c) =>
    withSignatures(
      { ...c, config: { ...c.config, keys: async () => keys } },
      { ...info, ...changes },
      () => said,
    ),
  );
  return signatures;
}

const PATHS: Record<string, Partial<NarInfo>> = {
  unsigned: {},
  "signed by a trusted key": { signatures: [TRUSTED_SIGNATURE] },
  "signed in the name of a trusted key": { signatures: forgedBy("trusted-1", 1) },
  "signed by another key": { signatures: [signatureBy("other-1")] },
  "content-addressed": { ca: CA },
  "content-addressed and signed by a trusted key": { ca: CA, signatures: [TRUSTED_SIGNATURE] },
};
const VERDICTS = ["verified", "waiting", "unverifiable", "false"] as const;

describe("the cache signs", () => {
  describe.each([true, false])("with trusted keys: %s", (trusts) => {
    it.each(Object.keys(PATHS).flatMap((path) => VERDICTS.map((verdict) => [path, verdict] as const)))(
      "a path that is %s, whose NAR is %s: as far as it may vouch for it",
      async (path, verdict) => {
        const changes = PATHS[path] ?? {};
        const isTrusted = changes.signatures?.includes(TRUSTED_SIGNATURE) ?? false;
        const isProven = changes.ca !== undefined && verdict === "verified";
        const vouches = verdict !== "false" && (!trusts || isTrusted || isProven);
        const signatures = await signed(changes, verdict, { trusts });
        expect(signatures).toEqual([...(changes.signatures ?? []), ...(vouches ? [OWN_SIGNATURE] : [])]);
      },
    );
  });
});

describe("signatures that are there", () => {
  it("in the name of the cache's key go where they are not its own", async () => {
    const signatures = [signatureBy("own-1"), signatureBy("other-1")];
    expect(await signed({ signatures }, "waiting", { trusts: false })).toEqual([
      signatureBy("other-1"),
      OWN_SIGNATURE,
    ]);
    expect(await signed({ signatures }, "waiting")).toEqual([signatureBy("other-1")]);
  });

  it("of the cache itself stay once, at their place", async () => {
    const signatures = [OWN_SIGNATURE, signatureBy("other-1")];
    for (const verdict of ["verified", "waiting"] as const) {
      expect(await signed({ signatures }, verdict)).toEqual(signatures);
    }
  });

  it("keep their order, without duplicates and what is none", async () => {
    const [a, b, c] = ["a", "b", "c"].map(signatureBy);
    const signatures = [b, "nonsense", a, `${b}`, "a:AAAA", c].filter((text) => text !== undefined);
    expect(await signed({ signatures }, "waiting", { owns: false })).toEqual([b, a, c]);
  });

  it("are cut to the first ones, but for those of trusted keys and its own", async () => {
    const others = forgedBy("other-1", 100);
    const signatures = [...others, TRUSTED_SIGNATURE];
    expect(await signed({ signatures }, "waiting")).toEqual([
      ...others.slice(0, MAX_SIGNATURES - 2),
      TRUSTED_SIGNATURE,
      OWN_SIGNATURE,
    ]);
  });

  it("in the name of trusted keys are not preferred where they are forged", async () => {
    const signatures = [...forgedBy("other-1", MAX_SIGNATURES), ...forgedBy("trusted-1", 1)];
    expect(await signed({ signatures }, "waiting")).toEqual(signatures.slice(0, MAX_SIGNATURES));
  });

  it("that were forged first do not keep a trusted one from a path that is full", async () => {
    const signatures = [...forgedBy("trusted-1", MAX_SIGNATURES), TRUSTED_SIGNATURE];
    expect((await signed({ signatures }, "waiting")).slice(-2)).toEqual([TRUSTED_SIGNATURE, OWN_SIGNATURE]);
  });
});

describe("8,000 signatures", () => {
  it.each([
    ["by other keys", "other-1", 0],
    ["in the name of a trusted key", "trusted-1", 64],
  ])("%s are verified at most 64 times", async (_, name, expected) => {
    const verify = vi.spyOn(crypto.subtle, "verify");
    const signatures = forgedBy(name, 8000);
    expect(await signed({ signatures }, "waiting")).toEqual(signatures.slice(0, MAX_SIGNATURES));
    expect(verify).toHaveBeenCalledTimes(expected);
  });
});
