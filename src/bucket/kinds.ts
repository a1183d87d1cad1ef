// The table of object kinds: the heart of the project. Readers, writers, routes and tests derive from it.
import { NIX32_CLASS } from "../nix/nix32.ts";

export interface Kind {
  readonly name: "narinfo" | "nar" | "listing" | "log" | "realisation" | "build-trace" | "debuginfo";
  /** Anchored; the path without its leading slash. Any key that matches may be read. */
  readonly pattern: RegExp;
  readonly contentType: string;
  /** Of a public cache; a private one says `private, no-store` on everything. */
  readonly cacheControl: string;
  /** The largest body that may be PUT, decoded. Bytes. */
  readonly maxBytes: number;
  /** The store setting by which Nix compresses this kind on upload, where there is one; for messages. */
  readonly compressionSetting?: string;
  /** Names are store path names, in which `?` is legal and sent raw. */
  readonly nameMayHaveQuestionMark?: boolean;
  /** The bucket key where it is not the path itself. */
  readonly key?: (path: string) => string;
}

const KIB = 1024;
const MIB = 1024 * KIB;
/** The largest body that R2 takes in one put (a little below 5 GiB). */
export const MAX_SINGLE_PUT_BYTES = 5 * 1024 * MIB - 5 * MIB;

const MUTABLE = "public, max-age=3600";
const IMMUTABLE = "public, max-age=31536000, immutable";
/** On every answer of a private cache. */
export const PRIVATE = "private, no-store";

/** A character of a store path name. */
const NAME = "[0-9A-Za-z+\\-._?=]";
const HASH_PART = `${NIX32_CLASS}{32}`;

const JSON_OBJECT = {
  contentType: "application/json",
  cacheControl: MUTABLE,
  maxBytes: 64 * KIB,
} as const;

export const NARINFO: Kind = {
  name: "narinfo",
  pattern: new RegExp(`^${HASH_PART}\\.narinfo$`),
  contentType: "text/x-nix-narinfo",
  cacheControl: MUTABLE,
  maxBytes: MIB,
  compressionSetting: "narinfo-compression",
};

export const NAR: Kind = {
  name: "nar",
  // Whatever is in the bucket under nar/ is served, so that caches filled by other tools work.
  pattern: /^nar\/.+$/,
  contentType: "application/x-nix-nar",
  cacheControl: IMMUTABLE,
  maxBytes: MAX_SINGLE_PUT_BYTES,
  compressionSetting: "compression",
};

export const KINDS: readonly Kind[] = [
  NARINFO,
  NAR,
  {
    ...JSON_OBJECT,
    name: "listing",
    pattern: new RegExp(`^${HASH_PART}\\.ls$`),
    maxBytes: 16 * MIB,
    compressionSetting: "ls-compression",
  },
  {
    name: "log",
    pattern: new RegExp(`^log/${HASH_PART}-${NAME}+\\.drv$`),
    contentType: "text/plain; charset=utf-8",
    cacheControl: MUTABLE,
    maxBytes: 32 * MIB,
    compressionSetting: "log-compression",
    nameMayHaveQuestionMark: true,
  },
  {
    ...JSON_OBJECT,
    name: "realisation",
    pattern: new RegExp(`^realisations/sha256:[0-9a-f]{64}!${NAME}+\\.doi$`),
    nameMayHaveQuestionMark: true,
  },
  {
    ...JSON_OBJECT,
    name: "build-trace",
    pattern: new RegExp(`^build-trace-v2/${HASH_PART}-${NAME}+/${NAME}+\\.doi$`),
    nameMayHaveQuestionMark: true,
  },
  {
    ...JSON_OBJECT,
    name: "debuginfo",
    pattern: /^debuginfo\/[0-9a-f]{40}(\.debug)?$/,
    // Readers ask with and without the ending; Nix writes it.
    key: (path) => (path.endsWith(".debug") ? path : `${path}.debug`),
  },
];

export function keyOf(kind: Kind, path: string): string {
  return kind.key === undefined ? path : kind.key(path);
}

export function cacheControl(isPrivate: boolean, ofPublic: string = MUTABLE): string {
  return isPrivate ? PRIVATE : ofPublic;
}
