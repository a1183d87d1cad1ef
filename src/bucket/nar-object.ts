// The hash of a NAR, read from its name or from its object in the bucket.
import { decodeNix32, NIX32_CLASS } from "../nix/nix32.ts";

/** The names that Nix writes; gzip and the rarer compressions get plain `.nar`. */
const NAR_KEY = new RegExp(`^nar/(${NIX32_CLASS}{52})\\.nar(\\.(xz|bz2|zst|lzip|lz4|br))?$`);

/**
 * Custom metadata of an object too large for one put, for which the bucket records no checksum: its SHA-256
 * (lower-case hex), computed before the object got its name.
 */
const VERIFIED_SHA256 = "verified-sha256";

/** The SHA-256 in a NAR's name, in lower-case hex as R2's `sha256` option takes it; `undefined` if the name has none. */
export function narKeySha256(key: string): string | undefined {
  const name = NAR_KEY.exec(key)?.[1];
  if (name === undefined) return undefined;
  try {
    return decodeNix32(name, 32).toHex();
  } catch {
    // 52 characters encode 260 bits; the upper four must be zero.
    return undefined;
  }
}

/** The SHA-256 that is recorded for an object, in lower-case hex; multipart uploads of other tools have none. */
export function sha256Of({ checksums, customMetadata }: R2Object): string | undefined {
  if (checksums.sha256 !== undefined) return new Uint8Array(checksums.sha256).toHex();
  const verified = customMetadata?.[VERIFIED_SHA256];
  return verified !== undefined && /^[0-9a-f]{64}$/.test(verified) ? verified : undefined;
}

/** Custom metadata with the SHA-256 of an object. */
export function verifiedMetadata(sha256: string): Record<string, string> {
  return { [VERIFIED_SHA256]: sha256 };
}
