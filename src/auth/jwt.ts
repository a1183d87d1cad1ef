// JSON Web Tokens (RFC 7519) in the compact form of JWS (RFC 7515), by WebCrypto.

/** Their types are not checked: a signer may send anything. */
export type Claims = Readonly<Record<string, unknown>>;

/** A token taken apart, and not verified. */
export interface Jwt {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Claims;
  /** The bytes that are signed. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

const BASE64URL = { alphabet: "base64url", omitPadding: true } as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `undefined` for what is no such token, and for one with an extension that must be understood (`crit`). */
export function parseJwt(token: string): Jwt | undefined {
  // Uint8Array.fromBase64 skips white space, and takes padding.
  const [, head, body, end] = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/.exec(token) ?? [];
  if (head === undefined || body === undefined || end === undefined) return undefined;
  try {
    const header = parseObject(head);
    const claims = parseObject(body);
    // RFC 7515, section 4.1.11. Of the extensions, `b64` would change what is signed.
    if (header === undefined || claims === undefined || header.crit !== undefined) return undefined;
    return { header, claims, signed: encoder.encode(`${head}.${body}`), signature: decode(end) };
  } catch {
    return undefined;
  }
}

/** The key decides on the algorithm, never the token: the caller compares the two (RFC 8725, section 3.1). */
export async function isSignedBy(key: CryptoKey, { signed, signature }: Jwt): Promise<boolean> {
  try {
    return await crypto.subtle.verify({ name: key.algorithm.name, hash: "SHA-256" }, key, signature, signed);
  } catch (error) {
    // workerd's answer to an Ed25519 signature of another length.
    if (error instanceof DOMException && error.name === "OperationError") return false;
    throw error;
  }
}

/** Signs with a key for HS256. */
export async function signJwt(header: object, claims: object, key: CryptoKey): Promise<string> {
  const text = [header, claims].map((part) => encode(encoder.encode(JSON.stringify(part)))).join(".");
  return `${text}.${encode(new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text))))}`;
}

/** Throws for anything that is not JSON. */
function parseObject(part: string): Readonly<Record<string, unknown>> | undefined {
  const value: unknown = JSON.parse(decoder.decode(decode(part)));
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

function decode(text: string): Uint8Array {
  return Uint8Array.fromBase64(text, BASE64URL);
}

function encode(bytes: Uint8Array): string {
  return bytes.toBase64(BASE64URL);
}
