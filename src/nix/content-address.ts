/** Content addresses (`CA`), and the store path that each gives: no signature is needed to trust it. */

import { FormatError } from "./format-error.ts";
import { type Hash, parseHash } from "./hash.ts";
import { encodeHex } from "./hex.ts";
import { encodeNix32 } from "./nix32.ts";

/** The form of the file that is hashed: text, a flat file, the NAR, or git's objects. */
type Method = "text" | "flat" | "nar" | "git";

export interface ContentAddress {
  method: Method;
  hash: Hash;
}

/** Bytes of the hash in a store path. */
const PATH_HASH_BYTES = 20;

/** The prefix of the algorithm in a `CA`, and of the hash in the text that is hashed for the path. */
const PREFIXES: Record<Exclude<Method, "text">, string> = { flat: "", nar: "r:", git: "git:" };

/**
 * The base name that content of this address, name and references must have, or undefined: Nix has no such content
 * address, or it may not have these references. `references` are base names; `self` is the path's own name, so that a
 * reference to it counts as a self-reference.
 *
 * This checks that path and address match, not that the NAR has that content. Rules: makeFixedOutputPath and
 * makeTextPath in Nix's libstore.
 */
export async function storePathOfContentAddress(
  ca: string,
  name: string,
  references: string[],
  storeDir: string,
  self?: string,
): Promise<string | undefined> {
  const address = parseContentAddress(ca);
  if (address === undefined) return undefined;
  const { method, hash } = address;
  const others = [...new Set(references)].filter((reference) => reference !== self).sort();
  const selfReferring = self !== undefined && references.includes(self);
  const withReferences = (type: string): string =>
    [type, ...others.map((reference) => `${storeDir}/${reference}`), ...(selfReferring ? ["self"] : [])].join(
      ":",
    );

  if (method === "text") {
    // A text is written before its path is known, so it cannot contain the path.
    return selfReferring ? undefined : makeStorePath(withReferences("text"), hash, name, storeDir);
  }
  if (method === "nar" && hash.algorithm === "sha256") {
    return makeStorePath(withReferences("source"), hash, name, storeDir);
  }
  if (references.length > 0) return undefined;
  const inner = await sha256(`fixed:out:${PREFIXES[method]}${base16(hash)}:`);
  return makeStorePath("output:out", { algorithm: "sha256", bytes: inner }, name, storeDir);
}

/** `undefined` if the text is no content address. */
export function parseContentAddress(text: string): ContentAddress | undefined {
  const match = /^(text|fixed|fixed:r|fixed:git):([a-z0-9]+:[^:]+)$/.exec(text);
  if (match === null) return undefined;
  try {
    const hash = parseHash(match[2] ?? "");
    switch (match[1]) {
      case "text":
        return hash.algorithm === "sha256" ? { method: "text", hash } : undefined;
      case "fixed:git":
        return hash.algorithm === "sha1" || hash.algorithm === "sha256" ? { method: "git", hash } : undefined;
      case "fixed:r":
        return { method: "nar", hash };
      default:
        return { method: "flat", hash };
    }
  } catch (error) {
    // A malformed hash means "no content address", which is an answer and not a failure.
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

async function makeStorePath(type: string, hash: Hash, name: string, storeDir: string): Promise<string> {
  const digest = await sha256(`${type}:${base16(hash)}:${storeDir}:${name}`);
  return `${encodeNix32(fold(digest))}-${name}`;
}

/** 256 bits to 160, as Nix's compressHash: bytes beyond the end are XORed onto the beginning. */
function fold(digest: Uint8Array): Uint8Array {
  const folded = new Uint8Array(PATH_HASH_BYTES);
  for (const [index, byte] of digest.entries()) {
    folded[index % PATH_HASH_BYTES] = (folded[index % PATH_HASH_BYTES] ?? 0) ^ byte;
  }
  return folded;
}

function base16(hash: Hash): string {
  return `${hash.algorithm}:${encodeHex(hash.bytes)}`;
}

async function sha256(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}
