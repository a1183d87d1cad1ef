// What Nix knows of store paths, from each form of `nix path-info --json`: an array up to 2.18, a record by path later,
// and from 2.33 on one with base names and hashes as objects.
import { type Hash, parseSha256 } from "../../nix/hash.ts";
import { Failure } from "../ground/failure.ts";

export interface PathInfo {
  /** The full path. */
  readonly path: string;
  /** SHA-256 of the NAR. */
  readonly narHash: Hash;
  /** Bytes. */
  readonly narSize: number;
  /** Full paths; perhaps with the path itself. */
  readonly references: readonly string[];
  /** A full path. */
  readonly deriver?: string;
  /** `name:base64`. */
  readonly signatures: readonly string[];
  /** The content address, as in a narinfo. */
  readonly ca?: string;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Throws {@link Failure} where a path is not in the store, or where the text has none of the known forms. */
export function parsePathInfos(json: string): PathInfo[] {
  const { entries, storeDir } = entriesOf(parsed(json));
  return entries.map(([key, info]) => {
    const path = fullPath(key, storeDir);
    if (!isObject(info) || info.valid === false) {
      throw new Failure("failed", `${path} is not in the store: build it first`);
    }
    return readInfo(path, info, storeDir);
  });
}

function entriesOf(value: unknown): { entries: [string, unknown][]; storeDir: string } {
  if (Array.isArray(value)) {
    return { entries: value.map((info: JsonObject) => [String(info.path), info]), storeDir: "" };
  }
  if (!isObject(value)) throw unknownForm("neither a list nor an object");
  const isWrapped = isObject(value.info) && "version" in value;
  const entries = Object.entries(isWrapped && isObject(value.info) ? value.info : value);
  return { entries, storeDir: isWrapped ? String(value.storeDir ?? "/nix/store") : "" };
}

function readInfo(path: string, info: JsonObject, storeDir: string): PathInfo {
  const dir = storeDir || path.slice(0, path.lastIndexOf("/"));
  const { narSize, deriver } = info;
  if (typeof narSize !== "number") throw unknownForm(`${path} has no narSize`);
  const ca = caOf(info.ca);
  return {
    path,
    narHash: parseSha256(hashText(info.narHash)),
    narSize,
    references: listOf(info.references).map((reference) => fullPath(String(reference), dir)),
    ...(typeof deriver === "string" && { deriver: fullPath(deriver, dir) }),
    signatures: listOf(info.signatures).map(signatureText),
    ...(ca !== undefined && { ca }),
  };
}

/** A text, or `{algorithm, format, hash}`. */
function hashText(value: unknown): string {
  if (typeof value === "string") return value;
  if (!isObject(value)) throw unknownForm("a hash is neither a text nor an object");
  const separator = value.format === "base64" ? "-" : ":";
  return `${value.algorithm}${separator}${value.hash}`;
}

/** The prefix in the text of a content address for each `method` of the object. */
const CA_PREFIX: Readonly<Record<string, string>> = {
  text: "text:",
  flat: "fixed:",
  nar: "fixed:r:",
  git: "fixed:git:",
};

/** A text, or `{method, hash}`. */
function caOf(value: unknown): string | undefined {
  if (typeof value === "string" && value !== "") return value;
  if (!isObject(value)) return undefined;
  const prefix = CA_PREFIX[String(value.method)];
  if (prefix === undefined) throw unknownForm(`the content address has the method ${String(value.method)}`);
  return prefix + hashText(value.hash).replace(/^(\w+)-/, "$1:");
}

/** A text, or `{keyName, sig}`. */
function signatureText(value: unknown): string {
  return isObject(value) ? `${value.keyName}:${value.sig}` : String(value);
}

function fullPath(path: string, storeDir: string): string {
  return path.startsWith("/") ? path : `${storeDir}/${path}`;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw unknownForm("it is not JSON");
  }
}

function unknownForm(why: string): Failure {
  return new Failure(
    "failed",
    `this client does not know the form in which this Nix describes paths: ${why}`,
  );
}
