// The cursor of a list: a place in it, in a form that clients hand back and do not take apart.
import type { Position } from "../contract/paths.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";

const PLACE = new RegExp(`^([0-9]{1,15})/(${NIX32_CLASS}{32})$`);

export function formatCursor({ firstPush, hash }: Position): string {
  return new TextEncoder()
    .encode(`${firstPush}/${hash}`)
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

/** `undefined` for what {@link formatCursor} has not written. */
export function parseCursor(text: string): Position | undefined {
  let place: string;
  try {
    place = new TextDecoder().decode(Uint8Array.fromBase64(text, { alphabet: "base64url" }));
  } catch {
    // Not base64: nothing that was ever handed out.
    return undefined;
  }
  const [, firstPush, hash] = PLACE.exec(place) ?? [];
  return hash === undefined ? undefined : { firstPush: Number(firstPush), hash };
}
