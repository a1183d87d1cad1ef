/** The keys with which a cache of the tests signs, one after the other or together. */
import { expect } from "vitest";
import { fingerprint } from "../../src/nix/fingerprint.ts";
import { generateSecretKey, parsePublicKey, verify } from "../../src/nix/keys.ts";
import { parseNarInfo } from "../../src/nix/narinfo.ts";

export interface OwnKey {
  readonly name: string;
  readonly secret: string;
  readonly public: string;
}

export const OWN_KEYS: readonly OwnKey[] = await Promise.all(["own-0", "own-1"].map(newKey));

export async function newKey(name: string): Promise<OwnKey> {
  return { name, ...(await generateSecretKey(name)) };
}

/** The value of SIGNING_KEY that configures these keys. */
export function signingKey(keys: readonly OwnKey[]): string {
  return keys.map(({ secret }) => secret).join(" ");
}

/** Every narinfo in the bucket has the right signature of each of these keys, and none of the key `dropped`. */
export async function expectSigned(
  bucket: R2Bucket,
  keys: readonly OwnKey[],
  dropped?: string,
): Promise<void> {
  const { objects } = await bucket.list();
  for (const { key } of objects.filter(({ key }) => key.endsWith(".narinfo"))) {
    const info = parseNarInfo((await (await bucket.get(key))?.text()) ?? "", "/nix/store");
    for (const { name, public: publicKey } of keys) {
      const signer = await verify([await parsePublicKey(publicKey)], fingerprint(info), info.signatures);
      expect({ key, signer }).toEqual({ key, signer: name });
    }
    if (dropped === undefined) continue;
    expect(info.signatures.filter((signature) => signature.startsWith(`${dropped}:`))).toEqual([]);
  }
}
