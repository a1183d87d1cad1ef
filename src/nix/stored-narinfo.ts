/**
 * Narinfos as any program may have written them into a bucket: what Nix reads of them (libstore/nar-info.cc, 2.3 to 2.35).
 * What is pushed must be in Nix's own form: narinfo.ts.
 */

import { FormatError } from "./format-error.ts";
import { formatHash, parseHash } from "./hash.ts";

/** Nix keeps sizes in 64 bits. */
const MAX_NIX_SIZE = 2n ** 64n - 1n;
/** Stands for every size that is not exact as a number: no archive has one. */
export const UNKNOWN_SIZE = Number.MAX_SAFE_INTEGER;

/** Bytes of a URL; it may become the key of a row, and the bucket's keys are not longer. */
const MAX_URL_LENGTH = 1000;

/**
 * A narinfo that says what Nix reads in `text`, in the form that Nix writes: with plain sizes and hashes, and a space
 * behind each colon. Fields that Nix ignores go where they are not in that form. Throws FormatError where Nix finds no
 * fields; whether those there are make a narinfo is left to parseNarInfo.
 */
export function normalizeNarInfo(text: string): string {
  return fieldsOf(text)
    .map(([key, value]) => {
      const write = WRITERS[key];
      if (write !== undefined) return `${key}: ${write(value)}\n`;
      return /^[A-Za-z][A-Za-z0-9_-]*$/.test(key) && !/\p{Cc}/u.test(value) ? `${key}: ${value}\n` : "";
    })
    .join("");
}

/**
 * Whether some Nix reads this as the narinfo of the path with this hash part, in whatever store directory. Nix 2.3 takes
 * any signature, content address, compression and URL, and names of any 32 characters.
 */
export function isReadBySomeNix(text: string, hash: string): boolean {
  try {
    const values: Record<string, string> = {};
    for (const [key, value] of fieldsOf(text)) {
      if (READERS[key]?.(value, values[key]) === false) return false;
      values[key] = value;
    }
    const { StorePath = "", URL = "", NarHash, NarSize = "0" } = values;
    return (
      lastPart(StorePath).startsWith(hash) && URL !== "" && NarHash !== undefined && sizeOf(NarSize) !== 0n
    );
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

const keep = (value: string) => value;

/** The fields that Nix knows, by what it writes for them. What is wrong is kept, so that parseNarInfo names it. */
const WRITERS: Readonly<Record<string, (value: string) => string>> = {
  StorePath: plainPath,
  URL: shortUrl,
  Compression: keep,
  FileHash: plainHash,
  FileSize: plainSize,
  NarHash: plainHash,
  NarSize: plainSize,
  References: keep,
  Deriver: keep,
  Sig: keep,
  CA: keep,
};

const isName = (text: string) => /^[^/]{32,}$/s.test(text);

/** What the most lenient Nix demands of a field; `earlier` is its value on an earlier line. */
const READERS: Readonly<Record<string, (value: string, earlier: string | undefined) => boolean>> = {
  StorePath: (value) => value.startsWith("/") && isName(lastPart(value)),
  FileHash: isHash,
  FileSize: (value) => sizeOf(value) !== undefined,
  NarHash: isHash,
  NarSize: (value) => sizeOf(value) !== undefined,
  References: (value, earlier = "") => namesIn(earlier).length === 0 && namesIn(value).every(isName),
  Deriver: (value) => value === "unknown-deriver" || isName(value),
  CA: (_, earlier = "") => earlier === "",
};

/**
 * As Nix divides a text: a key ends at the next colon, whatever lies between, and a value begins behind one character
 * more. Throws FormatError where a colon or the newline at the end is missing.
 */
function fieldsOf(text: string): [key: string, value: string][] {
  const fields: [string, string][] = [];
  for (let at = 0; at < text.length; ) {
    const colon = text.indexOf(":", at);
    if (colon < 0) throw new FormatError("there is a line without a colon");
    const end = text.indexOf("\n", colon + 2);
    if (end < 0) throw new FormatError("the last line must end in a newline");
    fields.push([text.slice(at, colon), text.slice(colon + 2, end)]);
    at = end + 1;
  }
  return fields;
}

/** Nix takes slashes away that say nothing. */
function plainPath(path: string): string {
  return path.replace(/\/+/g, "/").replace(/(?<=.)\/$/, "");
}

function lastPart(path: string): string {
  const plain = plainPath(path);
  return plain.slice(plain.lastIndexOf("/") + 1);
}

function namesIn(references: string): string[] {
  return references.split(" ").filter((name) => name !== "");
}

function shortUrl(url: string): string {
  if (url.length <= MAX_URL_LENGTH) return url;
  throw new FormatError(`URL: it has ${url.length} characters, more than ${MAX_URL_LENGTH}`);
}

/** Nix 2.3 skips white space before a number; all versions take a plus sign and zeros. */
function sizeOf(text: string): bigint | undefined {
  const digits = /^[ \t\v\f\r]*\+?0*([0-9]{1,20})$/.exec(text)?.[1];
  if (digits === undefined) return undefined;
  const size = BigInt(digits);
  return size <= MAX_NIX_SIZE ? size : undefined;
}

function plainSize(text: string): string {
  const size = sizeOf(text);
  if (size === undefined) return text;
  return size > UNKNOWN_SIZE ? `${UNKNOWN_SIZE}` : `${size}`;
}

function isHash(text: string): boolean {
  try {
    parseHash(plainHash(text));
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/** Nix ignores what follows the `=` of base-64, its absence in SRI, and bits behind the last byte. */
function plainHash(text: string): string {
  const [, algorithm = "", separator = "", digits = ""] =
    /^([a-z0-9]+)([:-])([A-Za-z0-9+/]+)=*$/.exec(text) ?? [];
  if (separator !== "-" && !text.endsWith("=")) return text;
  try {
    const bytes = Uint8Array.fromBase64(digits, { lastChunkHandling: "loose" });
    return formatHash(parseHash(`${algorithm}-${bytes.toBase64()}`));
  } catch {
    // It is told by the one who parses it.
    return text;
  }
}
