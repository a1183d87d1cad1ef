// The credential of a request. Nix knows only Basic, sent pre-emptively from netrc, and the login means nothing:
// the password is the token. Everything else sends Bearer.

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
    // Not base64: a credential that cannot be right.
    return undefined;
  }
}
