// Signatures of the keys that are configured now. The cache signs only what it may vouch for.
import { NARINFO } from "../../bucket/kinds.ts";
import { fingerprint } from "../../nix/fingerprint.ts";
import { MAX_VERIFIED, sign, verify } from "../../nix/keys.ts";
import { narPlaceOf } from "../../nix/nar-url.ts";
import { formatNarInfo, type NarInfo } from "../../nix/narinfo.ts";
import { mergeSignatures } from "../../nix/signature-merge.ts";
import type { CatalogContext } from "../context.ts";
import type { Verdict } from "../facts/verdict.ts";
import { Refused } from "../refuse.ts";

/** Signatures of one narinfo; those of this cache and of trusted keys are kept before others. */
export const MAX_SIGNATURES = 32;

/**
 * One signature by each configured key replaces those that name it, where the cache may vouch for the path. Valid
 * signatures that are there already, and those by other keys, stay, at most {@link MAX_SIGNATURES}.
 */
export async function withSignatures(
  c: CatalogContext,
  info: NarInfo,
  verdict: () => Verdict,
): Promise<NarInfo> {
  const { signing, trusted: trustedKeys } = await c.config.keys();
  const text = fingerprint(info);
  const ours = await Promise.all(signing.map((key) => sign(key, text)));
  const trusted = await validSignatures([...trustedKeys], text, info.signatures);
  const isSeen = !narPlaceOf(info.url).isElsewhere || verdict().kind === "verified";
  const isVouched = (trustedKeys.length === 0 && isSeen) || trusted.size > 0 || isProven(info, verdict);
  const vouches = isVouched && verdict().kind !== "false";
  const kept = info.signatures.filter(
    (signature) => ours.includes(signature) || !signing.some(({ name }) => name === signerOf(signature)),
  );
  const signatures = mergeSignatures([...kept, ...(vouches ? ours : [])], {
    max: MAX_SIGNATURES,
    preferred: (signature) => ours.includes(signature) || trusted.has(signature),
  });
  return { ...info, signatures };
}

/** No signature is needed for content that was found to have the address from which the path's name follows. */
function isProven(info: NarInfo, verdict: () => Verdict): boolean {
  return info.ca !== undefined && verdict().kind === "verified";
}

type PublicKeys = Parameters<typeof verify>[0];

async function validSignatures(
  keys: PublicKeys,
  text: string,
  signatures: readonly string[],
): Promise<ReadonlySet<string>> {
  const candidates = signatures
    .filter((signature) => keys.some(({ name }) => name === signerOf(signature)))
    .slice(0, MAX_VERIFIED);
  const valid = new Set<string>();
  for (const signature of candidates) {
    if ((await verify(keys, text, [signature])) !== undefined) valid.add(signature);
  }
  return valid;
}

/** Another order of the signatures is no reason to write. */
export function hasSameSignatures(a: NarInfo, b: NarInfo): boolean {
  return [...a.signatures].sort().join() === [...b.signatures].sort().join();
}

/** The name of the key in a signature. */
export function signerOf(signature: string): string {
  return signature.slice(0, signature.indexOf(":"));
}

/** The text, unless it is larger than this cache and clients read. Throws {@link Refused}. */
export function textOf(info: NarInfo): string {
  const text = formatNarInfo(info);
  if (new TextEncoder().encode(text).length <= NARINFO.maxBytes) return text;
  throw new Refused({
    kind: "narinfo-too-large",
    path: info.storePath.baseName,
    maxBytes: NARINFO.maxBytes,
  });
}
