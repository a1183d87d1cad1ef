// Step 6 of publishing: the signatures of the keys that are configured now.
import { NARINFO } from "../../bucket/kinds.ts";
import { fingerprint } from "../../nix/fingerprint.ts";
import { sign } from "../../nix/keys.ts";
import { formatNarInfo, type NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";

/** One signature by each configured key. What claims to be by one of them and is not, goes; all others stay. */
export async function withSignatures(c: CatalogContext, info: NarInfo): Promise<NarInfo> {
  const keys = (await c.config.keys()).signing;
  const text = fingerprint(info);
  const ours = await Promise.all(keys.map((key) => sign(key, text)));
  const kept = info.signatures.filter(
    (signature) => ours.includes(signature) || !keys.some(({ name }) => name === signerOf(signature)),
  );
  return { ...info, signatures: [...new Set([...kept, ...ours])] };
}

/** The name of the key that a signature says it is by. */
export function signerOf(signature: string): string {
  return signature.slice(0, signature.indexOf(":"));
}

/** Many signatures, pushed one by one, could make a narinfo that neither this cache nor a client can read any more. */
export function textOf(info: NarInfo): string {
  const text = formatNarInfo(info);
  if (new TextEncoder().encode(text).length <= NARINFO.maxBytes) return text;
  throw new Refused({
    kind: "narinfo-too-large",
    path: info.storePath.baseName,
    maxBytes: NARINFO.maxBytes,
  });
}
