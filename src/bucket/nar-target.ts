// Where an uploaded NAR belongs. Nix names it by its SHA-256. Other programs do not: what they upload gets Nix's name, if
// its hash is in the other name or comes with the request, and the bucket checks it as any other.
import { HttpError } from "../http/errors.ts";
import { decodeNix32, encodeNix32, NIX32_CLASS } from "../nix/nix32.ts";
import { narKeySha256 } from "./nar-object.ts";

export interface NarTarget {
  readonly key: string;
  /** Lower-case hex. */
  readonly sha256: string;
  /** The key that it was sent to, where that is another. */
  readonly name?: string;
}

/** Cachix: the hash in base 16. */
const BASE16 = /^nar\/([0-9a-f]{64})\.nar(?:\.[a-z0-9]+)?$/;
/** nix-serve: the path's hash part and the NAR's hash, which is the file's, because it compresses nothing. */
const NIX_SERVE = new RegExp(`^nar/${NIX32_CLASS}{32}-(${NIX32_CLASS}{52})\\.nar$`);
/** An ending that Nix does not write. */
const GZIP = new RegExp(`^nar/(${NIX32_CLASS}{52})\\.nar\\.gz$`);
/** The endings that Nix writes. */
const ENDING = /\.nar\.(?:xz|bz2|zst|lzip|lz4|br)$/;

/**
 * Where the NAR of an upload to `path` belongs. An S3 client may copy a cache, whose names it does not choose. `headers`
 * are those of a request with the whole NAR. Throws {@link HttpError} 400 where its hash is not known.
 */
export function narTarget(path: string, isS3: boolean, headers?: Headers): NarTarget {
  const own = narKeySha256(path);
  if (own !== undefined) return { key: path, sha256: own };
  const sha256 = otherSha256(path, isS3, headers);
  if (sha256 === undefined) {
    throw new HttpError(
      400,
      "a NAR is named nar/<52 characters of its SHA-256 in Nix's base 32>.nar, with .xz .bz2 .zst .lzip .lz4 .br where it is compressed; under another name send its SHA-256 as x-amz-content-sha256 or x-amz-checksum-sha256, in one piece",
    );
  }
  const [ending = ".nar"] = ENDING.exec(path) ?? [];
  return { key: `nar/${encodeNix32(Uint8Array.fromHex(sha256))}${ending}`, sha256, name: path };
}

/** The SHA-256 that the bucket checks the body of a PUT to `path` against; `undefined` if the PUT is refused. */
export function uploadedNarSha256(path: string, isS3: boolean, headers: Headers): string | undefined {
  return narKeySha256(path) ?? otherSha256(path, isS3, headers);
}

function otherSha256(path: string, isS3: boolean, headers: Headers | undefined): string | undefined {
  return (headers && declaredSha256(headers)) ?? (isS3 ? hashInName(path) : undefined);
}

/** Lower-case hex. The bucket checks it, so it need not be signed. */
function declaredSha256(headers: Headers): string | undefined {
  const signed = headers.get("x-amz-content-sha256");
  if (signed !== null && /^[0-9a-f]{64}$/.test(signed)) return signed;
  const checksum = headers.get("x-amz-checksum-sha256");
  return checksum !== null && /^[A-Za-z0-9+/]{43}=$/.test(checksum)
    ? Uint8Array.fromBase64(checksum).toHex()
    : undefined;
}

function hashInName(path: string): string | undefined {
  const base16 = BASE16.exec(path)?.[1];
  if (base16 !== undefined) return base16;
  const base32 = (NIX_SERVE.exec(path) ?? GZIP.exec(path))?.[1];
  if (base32 === undefined) return undefined;
  try {
    return decodeNix32(base32, 32).toHex();
  } catch {
    // 52 characters encode 260 bits; the upper four must be zero.
    return undefined;
  }
}
