// The token of a request. Nix sends Basic from its netrc, where the password is the token and the login is arbitrary;
// other clients send Bearer.

/** The token that a request carries; `undefined` without a usable Authorization header. */
export function tokenOf(request: Request): string | undefined {
  const [, scheme = "", value = ""] =
    /^\s*([A-Za-z]+)\s+(\S+)\s*$/.exec(request.headers.get("Authorization") ?? "") ?? [];
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
