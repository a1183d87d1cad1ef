/** How a NAR file begins, by its compression: a check of the first bytes alone, cheap enough for each publication. */

const XZ = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];
/** 0x184D2A50 to 0x184D2A5F, little-endian: a frame that decoders skip. The first byte is checked apart. */
const SKIPPABLE = [0x2a, 0x4d, 0x18];
const GZIP = [0x1f, 0x8b];
const BZIP2 = [0x42, 0x5a, 0x68];
const LZIP = [0x4c, 0x5a, 0x49, 0x50];
const LZ4 = [0x04, 0x22, 0x4d, 0x18];
const LZ4_LEGACY = [0x02, 0x21, 0x4c, 0x18];
const NAR = [13, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode("nix-archive-1"), 0, 0, 0];

/** First bytes that {@link looksLike} needs at most. */
export const MAGIC_BYTES = NAR.length;

/**
 * Whether a file with these first bytes may be a NAR of that `Compression`. Fewer than {@link MAGIC_BYTES} are taken
 * for the whole file. True for compressions that are unknown or have no magic number (br, lzma).
 */
export function looksLike(first: Uint8Array, compression: string): boolean {
  const begins = (magic: readonly number[], at = 0) =>
    magic.every((byte, index) => first[at + index] === byte);
  switch (compression) {
    case "none":
    case "identity":
    case "":
      return begins(NAR);
    case "xz":
      return begins(XZ);
    case "zstd":
      return begins(ZSTD) || isSkippable();
    case "gzip":
      return begins(GZIP);
    case "bzip2":
      return begins(BZIP2);
    case "lzip":
      return begins(LZIP);
    case "lz4":
      return begins(LZ4) || begins(LZ4_LEGACY) || isSkippable();
    default:
      return first.length > 0;
  }

  function isSkippable(): boolean {
    return ((first[0] ?? 0) & 0xf0) === 0x50 && begins(SKIPPABLE, 1);
  }
}
