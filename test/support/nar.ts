/** NARs of regular files (https://nix.dev/manual/nix/latest/protocols/nix-archive), in any runtime. */

/** Everything of the NAR of a file but its contents. Bytes. */
export const NAR_FRAME_BYTES = 112;
const ALIGNMENT_BYTES = 8;

export interface NarOptions {
  readonly executable?: boolean;
}

/** The NAR of a regular file. Its size is {@link NAR_FRAME_BYTES} and that of the contents, rounded up to 8 bytes. */
export function narOfFile(contents: Uint8Array, options: NarOptions = {}): Uint8Array<ArrayBuffer> {
  const { head, tail } = narFrame(contents.length, options);
  return joined([head, contents, tail]);
}

/** What comes before and after the contents of a file of this many bytes, for NARs that are not made in one piece. */
export function narFrame(
  bytes: number,
  { executable = false }: NarOptions = {},
): { readonly head: Uint8Array<ArrayBuffer>; readonly tail: Uint8Array<ArrayBuffer> } {
  const mode = executable ? ["executable", ""] : [];
  const words = ["nix-archive-1", "(", "type", "regular", ...mode, "contents"];
  return {
    head: joined([...words.map(narString), lengthOf(bytes)]),
    tail: joined([new Uint8Array(paddingOf(bytes)), narString(")")]),
  };
}

/** Its length as 64 bits little endian, itself, zeros up to a multiple of eight. */
function narString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  return joined([lengthOf(bytes.length), bytes, new Uint8Array(paddingOf(bytes.length))]);
}

function lengthOf(bytes: number): Uint8Array<ArrayBuffer> {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(bytes), true);
  return length;
}

function paddingOf(bytes: number): number {
  return -bytes & (ALIGNMENT_BYTES - 1);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
