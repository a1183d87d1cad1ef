// Signatures of the keys that are configured now.
import { NARINFO } from "../../bucket/kinds.ts";
import { fingerprint } from "../../nix/fingerprint.ts";
import { sign } from "../../nix/keys.ts";
import { formatNarInfo, type NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";

/** One signature by each configured key replaces those that name it. Signatures by other keys stay. */
export async function withSignatures(c: CatalogContext, info: NarInfo): Promise<NarInfo> {
  const keys = (await c.config.keys()).signing;
  const text = fingerprint(info);
  const ours = await Promise.all(keys.map((key) => sign(key, text)));
  const kept = info.signatures.filter(
    (signature) => ours.includes(signature) || !keys.some(({ name }) => name === signerOf(signature)),
  );
  return { ...info, signatures: [...new Set([...kept, ...ours])] };
}

/** The name of the key in a signature. */
export function signerOf(signature: string): string {
  return signature.slice(0, signature.indexOf(":"));
}

/** The text, unless its signatures have made it larger than this cache and clients read. Throws {@link Refused}. */
export function textOf(info: NarInfo): string {
  const text = formatNarInfo(info);
  if (new TextEncoder().encode(text).length <= NARINFO.maxBytes) return text;
  throw new Refused({
    kind: "narinfo-too-large",
    path: info.storePath.baseName,
    maxBytes: NARINFO.maxBytes,
  });
}
