/** The texts that a realisation's signatures sign (Realisation::fingerprint in libstore/realisation.cc), signed and verified. */

import { type PublicKey, type SecretKey, sign, verify } from "./keys.ts";
import { type Realisation, realisationId, sorted, withoutDependencies } from "./realisation.ts";

/**
 * The signed text, which covers all known fields. Nix signs the fields that it has parsed, so unknown ones are never
 * part of it. Flat: `{"dependentRealisations":{...},"id":"sha256:<hex>!<output>","outPath":"<base name>"}`. A build
 * trace: `{"key":{"drvPath":"<base name>","outputName":"<output>"},"value":{"outPath":"<base name>"}}`.
 */
export function realisationFingerprint(realisation: Realisation): string {
  const { form, derivation, output, outPath, dependentRealisations } = realisation;
  return JSON.stringify(
    form === "realisation"
      ? {
          dependentRealisations: Object.fromEntries(sorted(dependentRealisations)),
          id: realisationId(realisation),
          outPath,
        }
      : { key: { drvPath: derivation, outputName: output }, value: { outPath } },
  );
}

/**
 * Every text by which some Nix version verifies the realisation: `realisationFingerprint` and, if there are dependent
 * realisations, the same without them. Nix 2.34 ignores them and verifies only the second text.
 */
export function realisationFingerprints(realisation: Realisation): string[] {
  const whole = realisationFingerprint(realisation);
  const bare = realisationFingerprint(withoutDependencies(realisation));
  return [...new Set([whole, bare])];
}

/** The signatures (`name:base64`) that every Nix version accepts: one for each text, so one or two. */
export function signRealisation(key: SecretKey, realisation: Realisation): Promise<string[]> {
  return Promise.all(realisationFingerprints(realisation).map((text) => sign(key, text)));
}

/**
 * The name of the first key that has signed all known fields, or undefined. A signature of 2.34's text does not count
 * if there are dependent realisations, because it does not cover them.
 */
export function verifyRealisation(keys: PublicKey[], realisation: Realisation): Promise<string | undefined> {
  return verify(keys, realisationFingerprint(realisation), realisation.signatures);
}

/** The signatures by which some Nix version with these keys accepts the realisation. A merge prefers them. */
export async function trustedSignatures(
  keys: PublicKey[],
  realisation: Realisation,
  signatures: string[],
): Promise<Set<string>> {
  const texts = realisationFingerprints(realisation);
  const trusted = new Set<string>();
  for (const signature of signatures) {
    for (const text of texts) {
      if ((await verify(keys, text, [signature])) !== undefined) trusted.add(signature);
    }
  }
  return trusted;
}
