/** From a narinfo's URL to the bucket's key of the archive. */

import { FormatError, quote } from "./format-error.ts";
import type { Hash } from "./hash.ts";
import type { Compression } from "./narinfo.ts";
import { encodeNix32 } from "./nix32.ts";

/**
 * The key that a URL, relative to the cache, names: `nar/...`, percent-decoded, without query and fragment. Throws
 * FormatError on a URL that Nix versions resolve differently: up to 2.31 Nix joins cache and URL with a slash, from
 * 2.32 it resolves by RFC 3986, so `..`, a leading slash and a host differ.
 */
export function narKeyOfUrl(url: string): string {
  const refuse = (why: string): never => {
    throw new FormatError(`URL: ${quote(url)} ${why}; expected "nar/<name>", relative to the cache`);
  };
  const path = url.replace(/[?#].*$/s, "");
  if (/^([A-Za-z][A-Za-z0-9+.-]*:|\/)/.test(path)) refuse("is absolute");
  let decoded = path;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    // A lone % or bytes that are no UTF-8.
    refuse("has a wrong percent-encoding");
  }
  if (!/^[!-~]*$/.test(url) || !/^[!-~]*$/.test(decoded))
    refuse("holds a character that is not printable ASCII");
  if (decoded.includes("\\")) refuse("holds a backslash");
  // Split after decoding: in the bucket's keys "/" and "%2F" are the same.
  const segments = decoded.split("/");
  while (segments[0] === ".") segments.shift();
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) {
    refuse('has an empty, "." or ".." part');
  }
  if (segments.length < 2 || segments[0] !== "nar") refuse("is outside nar/");
  return segments.join("/");
}

export interface NarPlace {
  /** In the bucket, `nar/...`; the URL itself where it cannot be in this bucket. */
  readonly key: string;
  /** The URL names another place: the NAR may not be in this bucket, and clients find it. */
  readonly isElsewhere: boolean;
}

/**
 * Where the NAR of a narinfo is that any program may have written. A URL that only versions of Nix or addresses of the
 * cache resolve differently counts as naming this bucket's key at its end: that protects the object, if there is one.
 */
export function narPlaceOf(url: string): NarPlace {
  const own = narKeyOr(url.replace(/^\//, ""));
  if (own !== undefined) return { key: own, isElsewhere: false };
  const [, end = ""] = /^.*\/(nar\/.*)$/s.exec(url.replace(/[?#].*$/s, "")) ?? [];
  return { key: narKeyOr(end) ?? url, isElsewhere: true };
}

function narKeyOr(url: string): string | undefined {
  try {
    return narKeyOfUrl(url);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/**
 * Throws FormatError on a URL with `?` or `#`, percent-encoded or not: Nix versions differ in what they ask for then, and
 * a copy of the cache on disk has no file of that name.
 */
export function requirePlainUrl(url: string): void {
  if (!/[?#]|%3f|%23/i.test(url)) return;
  throw new FormatError(`URL: ${quote(url)} has a "?" or "#"; expected "nar/<name>" without`);
}

const EXTENSIONS: [extension: string, compression: Compression][] = [
  [".nar.xz", "xz"],
  [".nar.bz2", "bzip2"],
  [".nar.zst", "zstd"],
  [".nar.lzip", "lzip"],
  [".nar.lz4", "lz4"],
  [".nar.br", "br"],
  [".nar.gz", "gzip"],
];

/**
 * The compression that a key's extension means (libstore/binary-cache-store.cc). undefined for plain `.nar`, which
 * Nix uses for gzip, the rarer compressions and uncompressed archives; only other tools write `.nar.gz`.
 */
export function compressionOfExtension(key: string): Compression | undefined {
  return EXTENSIONS.find(([extension]) => key.endsWith(extension))?.[1];
}

/** The name that Nix gives an archive of this hash (SHA-256) and compression. */
export function narKeyOfHash(fileHash: Hash, compression: Compression): string {
  const extension = EXTENSIONS.find(([, each]) => each === compression)?.[0];
  const isNamed = extension !== undefined && compression !== "gzip";
  return `nar/${encodeNix32(fileHash.bytes)}${isNamed ? extension : ".nar"}`;
}
