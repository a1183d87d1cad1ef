// The token of a request. Nix sends Basic from its netrc, where the password is the token and the login is arbitrary;
// other clients send Bearer.

/** Characters: room for the longest identity token (16 KiB) in base64. */
const MAX_HEADER_LENGTH = 32 * 1024;

/** The token that a request carries, which may be empty; `undefined` without a usable Authorization header. */
export function tokenOf(request: Request): string | undefined {
  const header = request.headers.get("Authorization") ?? "";
  if (header.length > MAX_HEADER_LENGTH) return undefined;
  const [, scheme = "", value = ""] = /^\s*([A-Za-z]+)(?:\s+(\S+))?\s*$/.exec(header) ?? [];
  switch (scheme.toLowerCase()) {
    case "bearer":
      return value;
    case "basic":
      return basicPassword(value);
    default:
      return undefined;
  }
}

function basicPassword(value: string): string | undefined {
  try {
    const text = new TextDecoder().decode(Uint8Array.fromBase64(value));
    const colon = text.indexOf(":");
    return colon < 0 ? undefined : text.slice(colon + 1);
  } catch {
    // Not base64.
    return undefined;
  }
}
