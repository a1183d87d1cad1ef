/** The one error of this folder: text that is not what it should be. */

/** How much of a wrong text an error repeats, in UTF-16 units: with the rest it must stay below the 1024 bytes Nix shows. */
const MAX_QUOTED = 120;

/** Thrown by every parser here. The message is one line that a user can act on. */
export class FormatError extends Error {
  override name = "FormatError";
}

/** Text from outside, for an error message: quoted, on one line, cut to a length worth reading. */
export function quote(text: string): string {
  const quoted = JSON.stringify(text.slice(0, MAX_QUOTED));
  return text.length > MAX_QUOTED ? `${quoted}…` : quoted;
}
