/** Nix's Ed25519 keys, `name:base64`: reading, making, signing and verifying (libutil/signature). */

import { decodeBase64, encodeBase64 } from "./base64.ts";
import { FormatError, quote } from "./format-error.ts";
import { decodeHex } from "./hex.ts";
import { isKeyName, parseSignature, type Signature } from "./signature.ts";

export interface PublicKey {
  name: string;
  key: CryptoKey;
  /** `name:base64`, as in trusted-public-keys. */
  text: string;
}

export interface SecretKey {
  name: string;
  /** Not extractable. */
  key: CryptoKey;
  /** Its public key, `name:base64`. */
  publicText: string;
}

const SEED_BYTES = 32;
const PUBLIC_KEY_BYTES = 32;

/**
 * The prefix of the seed in the PKCS #8 form of an Ed25519 key (RFC 8410, section 7): WebCrypto takes no raw seed.
 */
const PKCS8_PREFIX = decodeHex("302e020100300506032b657004220420");

/** Reads a public key; white space around it is ignored. Throws FormatError. */
export async function parsePublicKey(text: string): Promise<PublicKey> {
  // Not quoted in the error: the likeliest mistake is to paste the secret key here.
  const { name, bytes } = splitKey(text, PUBLIC_KEY_BYTES, "public");
  return { name, key: await importPublic(bytes), text: `${name}:${encodeBase64(bytes)}` };
}

/**
 * Reads a secret key, 64 bytes of seed and public half; white space around it is ignored. Throws FormatError, also
 * where the halves do not match: the signatures of such a key cannot be verified.
 */
export async function parseSecretKey(text: string): Promise<SecretKey> {
  const { name, bytes } = splitKey(text, SEED_BYTES + PUBLIC_KEY_BYTES, "secret");
  const publicHalf = bytes.slice(SEED_BYTES);
  const pkcs8 = new Uint8Array([...PKCS8_PREFIX, ...bytes.subarray(0, SEED_BYTES)]);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  const secret = { name, key, publicText: `${name}:${encodeBase64(publicHalf)}` };
  const pair: PublicKey = { name, key: await importPublic(publicHalf), text: secret.publicText };
  if ((await verify([pair], name, [await sign(secret, name)])) === undefined) {
    throw new FormatError(`the secret key ${quote(name)} is damaged: its public half belongs to another key`);
  }
  return secret;
}

/** Generates a key, as `nix key generate-secret --key-name` does. Throws FormatError on an invalid name. */
export async function generateSecretKey(name: string): Promise<{ secret: string; public: string }> {
  if (!isKeyName(name)) {
    throw new FormatError(
      `${quote(name)} cannot name a key: leave out ":", white space and control characters`,
    );
  }
  // The casts are safe: for Ed25519 the result is a pair, and its JWK has d and x.
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as {
    privateKey: CryptoKey;
  };
  const jwk = (await crypto.subtle.exportKey("jwk", pair.privateKey)) as { d?: string; x?: string };
  const seed = ofJwk(jwk.d);
  const publicHalf = ofJwk(jwk.x);
  return {
    secret: `${name}:${encodeBase64(new Uint8Array([...seed, ...publicHalf]))}`,
    public: `${name}:${encodeBase64(publicHalf)}`,
  };
}

/** A half of a key as a JWK has it (RFC 8037): base64url without padding. */
function ofJwk(text = ""): Uint8Array<ArrayBuffer> {
  return decodeBase64(`${text.replaceAll("-", "+").replaceAll("_", "/")}=`, SEED_BYTES);
}

/** Signs a text, such as a fingerprint: `name:base64`. Ed25519 is deterministic, so Nix gives the same. */
export async function sign(key: SecretKey, text: string): Promise<string> {
  const signature = await crypto.subtle.sign("Ed25519", key.key, new TextEncoder().encode(text));
  return `${key.name}:${encodeBase64(new Uint8Array(signature))}`;
}

/** Signatures of one text that are verified, of those in the name of a key: forged ones must not cost more. */
export const MAX_VERIFIED = 64;

/**
 * The name of the first key by which one of the signatures is valid, or undefined. A signature counts only for keys
 * of its name, as in Nix; malformed ones count for none, and at most {@link MAX_VERIFIED} count.
 */
export async function verify(
  keys: PublicKey[],
  text: string,
  signatures: string[],
): Promise<string | undefined> {
  const parsed = signatures
    .flatMap(readable)
    .filter(({ name }) => keys.some((key) => key.name === name))
    .slice(0, MAX_VERIFIED);
  const message = new TextEncoder().encode(text);
  for (const key of keys) {
    for (const signature of parsed) {
      if (signature.name !== key.name) continue;
      if (await crypto.subtle.verify("Ed25519", key.key, signature.bytes, message)) return key.name;
    }
  }
  return undefined;
}

function importPublic(bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, "Ed25519", true, ["verify"]);
}

/** The length of a seed in base64 without padding. A shorter text is no key material. */
const SEED_CHARACTERS = 43;

/** Name and bytes of a key. The error contains nothing after the colon, nor a name that may be a key. */
function splitKey(
  text: string,
  length: number,
  kind: "public" | "secret",
): { name: string; bytes: Uint8Array<ArrayBuffer> } {
  const [name = "", base64, ...rest] = text.trim().split(":");
  // Without a colon the whole text may be key material, so the error does not quote any of it.
  if (base64 === undefined || rest.length > 0 || !isKeyName(name)) {
    throw new FormatError(`a ${kind} key must be "<name>:<base64>"`);
  }
  try {
    return { name, bytes: decodeBase64(base64, length) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    // Name and key may have changed places.
    const shown = name.length < SEED_CHARACTERS ? `the ${kind} key ${quote(name)}` : `a ${kind} key`;
    throw new FormatError(`${shown} is wrong: ${error.message}`);
  }
}

/** None for a malformed signature, which does not invalidate the others. */
function readable(text: string): Signature[] {
  try {
    return [parseSignature(text)];
  } catch (error) {
    if (error instanceof FormatError) return [];
    throw error;
  }
}
