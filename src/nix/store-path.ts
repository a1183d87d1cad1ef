/** Store paths: `/nix/store/<hash>-<name>`, and the base names that stand for them (libstore/path.cc). */

import { FormatError, quote } from "./format-error.ts";
import { NIX32_CLASS } from "./nix32.ts";

export interface StorePath {
  /** Without a slash at the end: `/nix/store`. */
  storeDir: string;
  /** 32 base-32 characters, 160 bits; the key of the narinfo. */
  hash: string;
  name: string;
  /** `<hash>-<name>`. */
  baseName: string;
}

const MAX_NAME_LENGTH = 211;
const BASE_NAME = new RegExp(`^(${NIX32_CLASS}{32})-([0-9a-zA-Z+._?=-]+)$`);

/**
 * Splits `<hash>-<name>`. Throws FormatError where Nix would refuse it: a name has 1 to 211 characters of
 * `0-9a-zA-Z+-._?=`, and its part before the first `-` is neither `.` nor `..`. Older Nix refuses every leading dot.
 */
export function checkBaseName(text: string): { hash: string; name: string } {
  const match = BASE_NAME.exec(text);
  const [, hash, name] = match ?? [];
  if (hash === undefined || name === undefined) {
    throw new FormatError(`${quote(text)} is not a store path's base name, "<32 base-32 characters>-<name>"`);
  }
  if (name.length > MAX_NAME_LENGTH) {
    throw new FormatError(`${quote(text)} has a name longer than ${MAX_NAME_LENGTH} characters`);
  }
  if (/^\.\.?(-|$)/.test(name)) throw new FormatError(`${quote(text)} has a name that Nix refuses`);
  return { hash, name };
}

/** The store path of a base name. Throws FormatError. */
export function storePathOfBaseName(baseName: string, storeDir: string): StorePath {
  return { storeDir, ...checkBaseName(baseName), baseName };
}

/** Reads a full path, which must be directly in `storeDir`. Throws FormatError. */
export function parseStorePath(text: string, storeDir: string): StorePath {
  if (!text.startsWith(`${storeDir}/`))
    throw new FormatError(`${quote(text)} is not in the store ${storeDir}`);
  return storePathOfBaseName(text.slice(storeDir.length + 1), storeDir);
}

/** The full path. */
export function formatStorePath(path: StorePath): string {
  return `${path.storeDir}/${path.baseName}`;
}
