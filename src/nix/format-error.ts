/** The one error of this folder: malformed text. */

/**
 * Longest quote of a malformed text in an error, in UTF-16 units: the whole message must stay below the 1024 bytes
 * that Nix shows.
 */
const MAX_QUOTED = 120;

/** Thrown by every parser here. The message is one line that a user can act on. */
export class FormatError extends Error {
  override name = "FormatError";
}

/** Untrusted text for an error message: quoted, on one line, truncated. */
export function quote(text: string): string {
  const quoted = JSON.stringify(text.slice(0, MAX_QUOTED));
  return text.length > MAX_QUOTED ? `${quoted}…` : quoted;
}
