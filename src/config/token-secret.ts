// TOKEN_SECRET: the secrets of minted tokens, and the keys derived from them.

/** Characters. With one token an attacker can try secrets offline, so they must not be guessable. */
const MIN_SECRET_LENGTH = 32;

/** HKDF's `info`: each use of the secret gets keys of its own. */
const PURPOSE = new TextEncoder().encode("nix-cache minted token v1");

/**
 * Parses secrets separated by white space. The first signs, all verify: to rotate, put a new one in front, and remove
 * the old one when the last token that it signed has expired. Mistakes become lines of `problems`, without the secrets.
 */
export function parseTokenSecret(value: unknown, problems: string[]): readonly string[] {
  if (value === undefined || value === null || value === "") return [];
  const secrets = typeof value === "string" ? value.split(/\s+/).filter((word) => word !== "") : [];
  if (secrets.length === 0) {
    problems.push("TOKEN_SECRET: must be a text that is not blank; make one with 'openssl rand -hex 32'");
    return [];
  }
  const long = secrets.filter((secret) => secret.length >= MIN_SECRET_LENGTH);
  if (long.length === secrets.length) return secrets;
  const number = secrets.findIndex((secret) => secret.length < MIN_SECRET_LENGTH) + 1;
  problems.push(
    `TOKEN_SECRET: secret ${number} is shorter than ${MIN_SECRET_LENGTH} characters and could be guessed; make one with 'openssl rand -hex 32'`,
  );
  // Use none of them: without the short one, a secret that was meant only to verify could sign.
  return [];
}

/** Keys of HMAC-SHA256, one for each secret and in their order. HKDF: RFC 5869, without salt (section 3.1). */
export function deriveTokenKeys(secrets: readonly string[]): Promise<CryptoKey[]> {
  return Promise.all(secrets.map(deriveKey));
}

async function deriveKey(secret: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), "HKDF", false, [
    "deriveKey",
  ]);
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: PURPOSE },
    material,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign", "verify"],
  );
}
