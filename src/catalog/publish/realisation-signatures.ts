// Signatures of realisations: which trusted key vouches for one, which stay where two pushes meet, and the cache's own.
import type { PublicKey } from "../../nix/keys.ts";
import type { Realisation } from "../../nix/realisation.ts";
import { withoutDependencies } from "../../nix/realisation.ts";
import { signRealisation, trustedSignatures, verifyRealisation } from "../../nix/realisation-fingerprint.ts";
import { mergeRealisation } from "../../nix/realisation-merge.ts";
import type { CatalogContext } from "../context.ts";
import { signerOf } from "./signatures.ts";
import type { Vouched } from "./stored-realisation.ts";

/** Signatures of one realisation. */
const MAX_SIGNATURES = 32;
/** Signatures in the name of trusted keys that are verified: one takes some 0.1 ms. */
const MAX_VERIFIED = 2 * MAX_SIGNATURES;

/**
 * The trusted key (`name:base64`) that vouches for a realisation: it has signed what is there, or what was there before
 * the cache took out the dependent realisations. `undefined` where there is none.
 */
export async function trustedKeyOf(
  c: CatalogContext,
  { realisation, trustedBy }: Vouched,
): Promise<string | undefined> {
  const { trusted } = await c.config.keys();
  if (trusted.some(({ text }) => text === trustedBy)) return trustedBy;
  const signatures = namedBy(trusted, realisation.signatures);
  for (const key of trusted) {
    if ((await verifyRealisation([key], { ...realisation, signatures })) !== undefined) return key.text;
  }
  return undefined;
}

/**
 * The stored realisation with the signatures of both and those of the cache, as it is to be stored; `undefined` where
 * they name different outputs. Where the cache signs, it takes out dependent realisations, as Nix 2.34 does: a client up
 * to 2.33 would abort its build where they name another output than the first.
 */
export async function mergedAndSigned(
  c: CatalogContext,
  stored: Realisation,
  incoming: Realisation,
): Promise<Realisation | undefined> {
  const { signing, trusted } = await c.config.keys();
  const withoutOwn = (realisation: Realisation): Realisation => ({
    ...realisation,
    signatures: realisation.signatures.filter(
      (signature) => !signing.some(({ name }) => name === signerOf(signature)),
    ),
  });
  const [first, later] = [withoutOwn(stored), withoutOwn(incoming)];
  const max = Math.max(MAX_SIGNATURES - signing.length, 0);
  const preferred = await preferredSignatures([...trusted], [first, later], max);
  const merge = mergeRealisation(first, later, { max, preferred: (signature) => preferred.has(signature) });
  if (merge.outcome === "differs") return undefined;
  if (signing.length === 0) return merge.realisation;
  const bare = withoutDependencies(merge.realisation);
  const own = await Promise.all(signing.map((key) => signRealisation(key, bare)));
  return { ...bare, signatures: [...bare.signatures, ...own.flat()] };
}

/** Whether two realisations of one name say the same, whatever the order of their signatures. */
export function saysTheSame(a: Realisation, b: Realisation): boolean {
  const essence = ({ outPath, signatures, dependentRealisations }: Realisation) =>
    JSON.stringify([outPath, signatures.toSorted(), dependentRealisations]);
  return essence(a) === essence(b);
}

/** Those that a trusted key has made; all of them where all have room. */
async function preferredSignatures(
  trusted: PublicKey[],
  pushes: readonly Realisation[],
  max: number,
): Promise<Set<string>> {
  const all = new Set(pushes.flatMap(({ signatures }) => signatures));
  if (all.size <= max) return all;
  const preferred = new Set<string>();
  for (const push of pushes) {
    const named = namedBy(trusted, push.signatures);
    for (const signature of await trustedSignatures(trusted, push, named)) preferred.add(signature);
  }
  return preferred;
}

function namedBy(keys: readonly PublicKey[], signatures: readonly string[]): string[] {
  return signatures
    .filter((signature) => keys.some(({ name }) => name === signerOf(signature)))
    .slice(0, MAX_VERIFIED);
}
