// The files of a store path: their tree, out of the listing, or out of the NAR where there is none and it is small.
import { listingKey } from "../bucket/kinds.ts";
import { bucketFailure, bucketOperation } from "../bucket/operation.ts";
import { decodePieces, knownCoding } from "../http/encodings.ts";
import { HttpError } from "../http/errors.ts";
import { FormatError } from "../nix/format-error.ts";
import { narKeyOfUrl } from "../nix/nar-url.ts";
import { type NarInfo, parseNarInfo } from "../nix/narinfo.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { listingOf } from "./list-nar.ts";
import { MAX_UNPACKED_BYTES, type Span, unpacked } from "./unpacked.ts";

/** Of a listing, decoded: some 100,000 files. Parsed, it takes a few times as much memory. */
const MAX_LISTING_BYTES = 8 * 1024 * 1024;
const BASE_NAME = new RegExp(`^${NIX32_CLASS}{32}-`);
/** Symlinks that are followed one after the other. */
const MAX_LINKS = 32;

export interface Directory {
  readonly type: "directory";
  readonly entries: ReadonlyMap<string, unknown>;
}

export interface File extends Span {
  readonly type: "regular";
  readonly isExecutable: boolean;
}

export interface Symlink {
  readonly type: "symlink";
  readonly target: string;
}

export type Node = Directory | File | Symlink;

export interface Tree {
  readonly info: NarInfo;
  readonly narKey: string;
  readonly root: Node;
}

/** Two bucket operations; a third without a listing. Throws {@link HttpError} 404, or 413 for a tree that is too large. */
export async function readTree(bucket: R2Bucket, hash: string, storeDir: string): Promise<Tree> {
  const [narinfo, listing] = await Promise.all([
    bucketOperation("get", async () => (await bucket.get(`${hash}.narinfo`))?.text()),
    bucketOperation("get", async () => bucket.get(listingKey(hash))),
  ]);
  if (narinfo === undefined) {
    await listing?.body.cancel();
    throw new HttpError(404, "no such path in this cache");
  }
  const { info, narKey } = parsed(narinfo, storeDir);
  const text = listing === null ? await unpackedListing(bucket, narKey, info) : await textOf(listing);
  const { root } = asObject(parseJson(text));
  return { info, narKey, root: nodeOf(root) };
}

function parsed(narinfo: string, storeDir: string): Pick<Tree, "info" | "narKey"> {
  try {
    const info = parseNarInfo(narinfo, storeDir);
    return { info, narKey: narKeyOfUrl(info.url) };
  } catch (error) {
    // Other tools may have put it there.
    if (error instanceof FormatError)
      throw new HttpError(404, `the narinfo of this path cannot be read: ${error.message}`);
    throw error;
  }
}

async function textOf(object: R2ObjectBody): Promise<string> {
  const coding = knownCoding(object.httpMetadata?.contentEncoding);
  const pieces: Uint8Array[] = [];
  if (coding === undefined) {
    if (object.size > MAX_LISTING_BYTES) {
      await object.body.cancel();
      throw tooLarge();
    }
    return bucketOperation("get", () => object.text());
  }
  try {
    for await (const piece of decodePieces(object.body, coding, MAX_LISTING_BYTES)) pieces.push(piece);
  } catch (error) {
    if (!(error instanceof HttpError)) throw bucketFailure("get", error);
    throw error.status === 413 ? tooLarge() : damaged();
  }
  return new Blob(pieces).text();
}

async function unpackedListing(bucket: R2Bucket, narKey: string, info: NarInfo): Promise<string> {
  if (info.narSize > MAX_UNPACKED_BYTES) throw tooLarge();
  const listing = await listingOf(unpacked(bucket, narKey, info, info.narSize));
  if (listing === undefined) throw tooLarge();
  return listing;
}

function tooLarge(): HttpError {
  return new HttpError(
    413,
    "this tree is too large to be shown; push it with write-nar-listing=true, or use 'nix store ls'",
  );
}

function damaged(): HttpError {
  return new HttpError(404, "the listing of this path cannot be read; pushing it again writes a new one");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // It is as a pusher sent it.
    throw damaged();
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw damaged();
}

/** Reads one node; those below it are read when they are asked for. Throws {@link HttpError} 404. */
export function nodeOf(value: unknown): Node {
  const { type, entries, size, executable, narOffset, target } = asObject(value);
  if (type === "directory") return { type, entries: new Map(Object.entries(asObject(entries))) };
  if (type === "symlink" && typeof target === "string") return { type, target };
  if (type === "regular" && isCount(size) && isCount(narOffset)) {
    return { type, size, isExecutable: executable === true, narOffset };
  }
  throw damaged();
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

export type Place =
  | { readonly kind: "here"; readonly node: Node; readonly at: readonly string[] }
  /** A symlink leads to another store path. */
  | { readonly kind: "elsewhere"; readonly baseName: string; readonly at: readonly string[] };

/**
 * Finds a file by its names from the root, through symlinks; with `last` false one at the end is not followed. Throws
 * {@link HttpError} 404.
 */
export function find({ root, info }: Tree, names: readonly string[], last = true): Place {
  const { storeDir, baseName } = info.storePath;
  let rest = [...names];
  let at: string[] = [];
  let node = root;
  for (let links = 0; ; ) {
    if (node.type === "symlink" && (rest.length > 0 || last)) {
      if (++links > MAX_LINKS) throw new HttpError(404, "the symlinks of this path lead in a circle");
      const isAbsolute = node.target.startsWith("/");
      const inStore = node.target.startsWith(`${storeDir}/`);
      if (isAbsolute && !inStore) throw new HttpError(404, "a symlink of this path leads out of the store");
      const steps = (inStore ? node.target.slice(storeDir.length) : node.target).split("/");
      // A relative one begins in the directory of the link: `at` is the link itself.
      const from = isAbsolute ? [] : [baseName, ...at].slice(0, -1);
      const [first = "", ...below] = normalized([...from, ...steps]);
      if (first !== baseName) {
        if (!BASE_NAME.test(first)) throw new HttpError(404, "a symlink of this path leads out of the store");
        return { kind: "elsewhere", baseName: first, at: [...below, ...rest] };
      }
      rest = [...below, ...rest];
      at = [];
      node = root;
      continue;
    }
    const name = rest.shift();
    if (name === undefined) return { kind: "here", node, at };
    const next = node.type === "directory" ? node.entries.get(name) : undefined;
    if (next === undefined) throw new HttpError(404, "this path has no such file");
    at.push(name);
    node = nodeOf(next);
  }
}

/** Names without `.`, `..` and empty ones. The first is the store path, or the one that `..` has led to. */
function normalized(names: readonly string[]): readonly string[] {
  const result: string[] = [];
  for (const name of names) {
    if (name === "..") result.pop();
    else if (name !== "" && name !== ".") result.push(name);
  }
  return result;
}

/** The names in a path such as `/a/b/`. */
export function namesOf(path: string): readonly string[] {
  return path.split("/").filter((name) => name !== "");
}

/** The path of these names in a URL. */
export function urlOf(names: readonly string[]): string {
  // A name of JSON may have halves of surrogate pairs.
  return names.map((name) => `/${encodeURIComponent(name.toWellFormed())}`).join("");
}
