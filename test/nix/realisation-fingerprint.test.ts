/** What a realisation's signatures sign: those that Nix made are right here, and ours are the same. */
import { describe, expect, test } from "vitest";
import { generateSecretKey, parsePublicKey, parseSecretKey, sign } from "../../src/nix/keys.ts";
import { parseRealisation, withoutDependencies } from "../../src/nix/realisation.ts";
import {
  realisationFingerprint,
  realisationFingerprints,
  signRealisation,
  trustedSignatures,
  verifyRealisation,
} from "../../src/nix/realisation-fingerprint.ts";
import vectors from "../fixtures/realisations.json";
import { keyText } from "./fixtures.ts";

describe.each(vectors.flat)("Nix $version, $key", ({ version, key, text }) => {
  const realisation = parseRealisation(key, text);

  test("every signature verifies", async () => {
    expect(realisation.signatures).toHaveLength(version === "2.8.0" ? 1 : 2);
    for (const signature of realisation.signatures) {
      const [name = ""] = signature.split(":");
      const keys = [await parsePublicKey(keyText(version, name.replace("test-cache-", "public")))];
      expect(await verifyRealisation(keys, { ...realisation, signatures: [signature] })).toBe(name);
      expect(await trustedSignatures(keys, realisation, realisation.signatures)).toEqual(
        new Set([signature]),
      );
      expect(await verifyRealisation(keys, { ...realisation, output: "other" })).toBeUndefined();
    }
  });

  test("ours is Nix's", async () => {
    const secret = await parseSecretKey(keyText(version, "secret1"));
    expect((await signRealisation(secret, realisation))[0]).toBe(realisation.signatures[0]);
  });
});

// No Nix from 2.35 made them here: text, fingerprint and signature are those of its own tests.
test.each(vectors.buildTrace.vectors)("Nix 2.35.2, $fingerprint", async ({ key, text, ...expected }) => {
  const realisation = parseRealisation(key, text);
  const secret = await parseSecretKey(vectors.buildTrace.secretKey);
  const keys = [await parsePublicKey(secret.publicText)];
  expect(realisationFingerprints(realisation)).toEqual([expected.fingerprint]);
  expect(await signRealisation(secret, realisation)).toEqual([expected.signature]);
  const signed = { ...realisation, signatures: [...realisation.signatures, expected.signature] };
  expect(await verifyRealisation(keys, signed)).toBe("test-key");
});

describe("dependent realisations, which Nix up to 2.33 signs and 2.34 takes for none", () => {
  const [vector] = vectors.flat.filter(({ text }) => !text.includes('"dependentRealisations":{}'));
  const whole = parseRealisation(vector?.key ?? "", vector?.text ?? "");
  const bare = withoutDependencies(whole);

  test("are part of one text and missing in the other", () => {
    expect(whole.dependentRealisations).toHaveLength(3);
    expect(realisationFingerprints(whole)).toEqual([
      realisationFingerprint(whole),
      `{"dependentRealisations":{},"id":"${whole.derivation}!out","outPath":"${whole.outPath}"}`,
    ]);
    expect(realisationFingerprints(bare)).toEqual([realisationFingerprint(bare)]);
  });

  test("are signed by the order of their names, whatever order they came in", () => {
    const turned = { ...whole, dependentRealisations: whole.dependentRealisations.toReversed() };
    expect(realisationFingerprint(turned)).toBe(realisationFingerprint(whole));
  });

  test("have two signatures of the cache, one for each Nix; only the first vouches for them", async () => {
    const secret = await parseSecretKey((await generateSecretKey("cache-1")).secret);
    const keys = [await parsePublicKey(secret.publicText)];
    const [first = "", second = ""] = await signRealisation(secret, whole);
    expect(second).toBe(await sign(secret, realisationFingerprint(bare)));
    const signedBy = (signature: string) => ({ ...whole, signatures: [signature] });
    expect(await verifyRealisation(keys, signedBy(first))).toBe("cache-1");
    expect(await verifyRealisation(keys, signedBy(second))).toBeUndefined();
    expect(await verifyRealisation(keys, { ...bare, signatures: [second] })).toBe("cache-1");
    const signatures = [...whole.signatures, first, second];
    expect(await trustedSignatures(keys, whole, signatures)).toEqual(new Set([first, second]));
  });
});

test("fields that Nix does not know are not signed", () => {
  const [{ key, text } = { key: "", text: "" }] = vectors.flat;
  const more = text.replace("{", '{"aaa":1,"zzz":{"signatures":[]},');
  expect(realisationFingerprint(parseRealisation(key, more))).toBe(
    realisationFingerprint(parseRealisation(key, text)),
  );
});
