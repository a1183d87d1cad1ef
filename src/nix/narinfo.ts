/** narinfo, the metadata of one store path: parsed strictly, and written as Nix writes it (libstore/nar-info.cc). */

import { parseContentAddress } from "./content-address.ts";
import { FormatError, quote } from "./format-error.ts";
import { formatHash, type Hash, parseHash, parseSha256 } from "./hash.ts";
import { parseSignature } from "./signature.ts";
import { checkBaseName, formatStorePath, parseStorePath, type StorePath } from "./store-path.ts";

/** The compressions of Nix; up to 2.3 only the first four. */
export const COMPRESSIONS = [
  "none",
  "xz",
  "bzip2",
  "br",
  "zstd",
  "gzip",
  "lz4",
  "lzip",
  "lzma",
  "lzop",
  "lrzip",
  "grzip",
  "compress",
] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export interface NarInfo {
  storePath: StorePath;
  /** As written, relative to the cache; narKeyOfUrl turns it into the object's key. */
  url: string;
  compression: Compression;
  /** Of the compressed archive. Nix always writes it, but its parser does not require it. */
  fileHash?: Hash;
  /** Of the compressed archive, in bytes, never 0. */
  fileSize?: number;
  /** Of the archive itself, always SHA-256. */
  narHash: Hash;
  /** Of the archive itself, in bytes, never 0. */
  narSize: number;
  /** Base names, in the order given, without duplicates. May hold the path itself. */
  references: string[];
  /** A base name. */
  deriver?: string;
  /** `name:base64`, in the order given, without duplicates. */
  signatures: string[];
  /** Content address, such as `fixed:r:sha256:...`. */
  ca?: string;
  /** Fields unknown to Nix, unchanged, in the order given. */
  extra: [key: string, value: string][];
}

/** Fields that occur once. As in Nix, the last of several wins, and each of them must be well-formed. */
interface Scalars {
  StorePath: StorePath;
  URL: string;
  Compression: Compression;
  FileHash: Hash;
  FileSize: number;
  NarHash: Hash;
  NarSize: number;
  Deriver: string | undefined;
}

const SCALARS: { [Key in keyof Scalars]: (text: string, storeDir: string) => Scalars[Key] } = {
  StorePath: parseStorePath,
  URL: checkUrl,
  Compression: parseCompression,
  FileHash: parseHash,
  FileSize: parseSize,
  NarHash: parseSha256,
  NarSize: parseSize,
  Deriver: parseDeriver,
};

/**
 * Reads a narinfo whose path must be in `storeDir`. Throws FormatError, naming the field, if any Nix version refuses
 * it or versions read it differently.
 */
export function parseNarInfo(text: string, storeDir: string): NarInfo {
  const scalars: Partial<Scalars> = {};
  const signatures = new Set<string>();
  const extra: [string, string][] = [];
  let references = new Set<string>();
  let ca = "";
  for (const [key, value] of fields(text)) {
    if (isScalar(key)) {
      const read = inField(key, () => SCALARS[key](value, storeDir));
      // "unknown-deriver" does not override a deriver on an earlier line.
      if (read !== undefined) Object.assign(scalars, { [key]: read });
    } else if (key === "References") {
      // Nix refuses a References line if it already has references: an empty line may come first, but not second.
      if (references.size > 0) throw new FormatError("References: given twice");
      references = new Set(value.split(" ").filter((name) => name !== ""));
    } else if (key === "CA") {
      if (ca !== "") throw new FormatError("CA: given twice");
      ca = value;
    } else if (key === "Sig") {
      inField("Sig", () => parseSignature(value));
      signatures.add(value);
    } else {
      extra.push([key, value]);
    }
  }
  for (const reference of references) inField("References", () => checkBaseName(reference));
  if (ca !== "" && parseContentAddress(ca) === undefined) {
    throw new FormatError(`CA: ${quote(ca)} is not a content address`);
  }
  const { FileHash: fileHash, FileSize: fileSize = 0, Deriver: deriver } = scalars;
  const narSize = required(scalars, "NarSize");
  if (narSize === 0) throw new FormatError("NarSize: must be greater than 0");
  return {
    storePath: required(scalars, "StorePath"),
    url: required(scalars, "URL"),
    compression: scalars.Compression ?? DEFAULT_COMPRESSION,
    ...(fileHash !== undefined && { fileHash }),
    // 0 is how Nix writes a size it does not know.
    ...(fileSize !== 0 && { fileSize }),
    narHash: required(scalars, "NarHash"),
    narSize,
    references: [...references],
    ...(deriver !== undefined && { deriver }),
    signatures: [...signatures],
    ...(ca !== "" && { ca }),
    extra,
  };
}

/** Writes a narinfo, its fields in Nix's order, unknown ones last. */
export function formatNarInfo(info: NarInfo): string {
  const lines: [key: string, value: string | number | undefined][] = [
    ["StorePath", formatStorePath(info.storePath)],
    ["URL", info.url],
    ["Compression", info.compression],
    ["FileHash", info.fileHash && formatHash(info.fileHash)],
    ["FileSize", info.fileSize],
    ["NarHash", formatHash(info.narHash)],
    ["NarSize", info.narSize],
    // Without references the space after the colon stays: clients look for ": ".
    ["References", info.references.join(" ")],
    ["Deriver", info.deriver],
    ...info.signatures.map((signature): [string, string] => ["Sig", signature]),
    ["CA", info.ca],
    ...info.extra,
  ];
  return lines.map(([key, value]) => (value === undefined ? "" : `${key}: ${value}\n`)).join("");
}

/** Nix's value for an unknown derivation. */
const NO_DERIVER = "unknown-deriver";
/** Nix's own default: an absent field does not mean uncompressed. */
const DEFAULT_COMPRESSION = "bzip2";

/** The lines, as key and value. Throws FormatError on any other line. */
function fields(text: string): [key: string, value: string][] {
  if (text.includes("\r")) throw new FormatError("lines must end in LF, not CRLF");
  // Nix refuses a narinfo without a final newline as corrupt: it may be truncated.
  if (!text.endsWith("\n")) throw new FormatError("the last line must end in a newline");
  return text
    .slice(0, -1)
    .split("\n")
    .map((line, index) => {
      const separator = line.indexOf(": ");
      const key = line.slice(0, Math.max(separator, 0));
      if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(key)) {
        throw new FormatError(`line ${index + 1} is not "Key: value": ${quote(line)}`);
      }
      const value = line.slice(separator + 2);
      if (/\p{Cc}/u.test(value)) throw new FormatError(`${key}: holds a control character`);
      return [key, value];
    });
}

function isScalar(key: string): key is keyof Scalars {
  return Object.hasOwn(SCALARS, key);
}

function required<Key extends keyof Scalars>(scalars: Partial<Scalars>, key: Key): NonNullable<Scalars[Key]> {
  const value = scalars[key];
  if (value === undefined || value === null) throw new FormatError(`${key}: missing`);
  return value;
}

/** Runs the parser of one field, so that its error names the field. */
function inField<T>(key: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof FormatError) || error.message.startsWith(`${key}: `)) throw error;
    throw new FormatError(`${key}: ${error.message}`);
  }
}

/** Bytes, as an exact number. */
function parseSize(text: string): number {
  const size = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw new FormatError(`${quote(text)} is not a number of bytes`);
  return size;
}

function parseCompression(text: string): Compression {
  const name = text === "" ? DEFAULT_COMPRESSION : text;
  const compression = COMPRESSIONS.find((known) => known === name);
  if (compression === undefined) {
    throw new FormatError(`${quote(text)} is not a compression Nix knows (${COMPRESSIONS.join(", ")})`);
  }
  return compression;
}

function parseDeriver(text: string): string | undefined {
  if (text === NO_DERIVER) return undefined;
  checkBaseName(text);
  return text;
}

/** Checks only that it can be a URL; narKeyOfUrl decides whether it may be published. */
function checkUrl(text: string): string {
  if (!/^[!-~]+$/.test(text)) throw new FormatError(`${quote(text)} is not a URL`);
  return text;
}
