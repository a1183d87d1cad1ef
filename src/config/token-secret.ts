// TOKEN_SECRET: the secrets that minted tokens are signed with, and the keys that are made of them.

/** Characters. Whoever has one token can try secrets on it at home, as many as they like: it must not be guessable. */
const MIN_SECRET_LENGTH = 32;

/** Keys for nothing but minted tokens: another use of the same secret would have another text here. */
const PURPOSE = new TextEncoder().encode("nix-cache minted token v1");

/**
 * The secrets of a TOKEN_SECRET, which are separated by white space. The first signs, all verify: a new one goes in
 * front, and the old one out when the last token that it signed has expired. Mistakes become lines of `problems`,
 * which show no secret.
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
  // None at all: with the others alone, a token would be signed by a secret that was meant only to verify.
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
