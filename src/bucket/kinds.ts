// The table of object kinds. Routes, reading, writing, deletion, collection, reindex, listings, reserved cache names and
// the limits of the tests derive from it: a new kind is one entry here, and an example in test/support/objects.ts.
import type { JsonLimits } from "../http/json-scanner.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { archiveIn, outPathIn } from "./owners.ts";

export interface Kind {
  /** Its name in messages. */
  readonly name: string;
  /** The folder of its objects, one level and of this kind alone, with a slash at the end; empty for the top level. */
  readonly folder: string;
  /** Anchored; the path without its leading slash. Any key that matches may be read. */
  readonly pattern: RegExp;
  readonly contentType: string;
  /** In a public cache; a private one sends `private, no-store` with everything. */
  readonly cacheControl: string;
  /** The largest body that may be PUT, decoded. Bytes. */
  readonly maxBytes: number;
  readonly ownership: Ownership;
  readonly upload: Upload;
  /** Of a kind that is a JSON object: what it may have beside its bytes. */
  readonly json?: JsonLimits;
  /** Nix sends it along with a path, which is usable without: what is beyond the limits is acknowledged and not stored. */
  readonly mayBeLeftOut?: boolean;
  /** The store setting by which Nix compresses this kind on upload, where there is one; for messages. */
  readonly compressionSetting?: string;
  /** Names are store path names: `?` is legal in them and sent raw. */
  readonly nameMayHaveQuestionMark?: boolean;
  /** The bucket key if it is not the path itself. */
  readonly key?: (path: string) => string;
}

/** How a PUT is taken: checked and merged as what it is, or, small and well-formed, stored as it was sent. */
export type Upload = "narinfo" | "nar" | "realisation" | "as-sent";

/** The owner of an object: a path by its hash part, the paths of a deriver by its base name, a NAR by its key. */
export type OwnerType = "path" | "deriver" | "nar";

/** How the owner of an object is found. The object is deleted with its owner. */
export type Ownership =
  /** The object is a path or a NAR itself. */
  | { readonly by: "itself" }
  /** The key is the folder, the owner and `ending`: one object per owner. The catalog needs no row for it. */
  | { readonly by: "key"; readonly of: OwnerType; readonly ending: string }
  /**
   * The content, a JSON object, names the owner: any number of objects per owner, each with a row in the catalog.
   * `undefined` if the content names none; such an object is never deleted.
   */
  | {
      readonly by: "content";
      readonly of: "path" | "nar";
      readonly owner: (content: Readonly<Record<string, unknown>>) => string | undefined;
    };

const KIB = 1024;
const MIB = 1024 * KIB;
/** The largest object that tells of one output, or of one build ID. */
export const SMALL_JSON_BYTES = 64 * KIB;
/** The largest body that R2 takes in one put (a little below 5 GiB). */
export const MAX_SINGLE_PUT_BYTES = 5 * 1024 * MIB - 5 * MIB;

const MUTABLE = "public, max-age=3600";
export const IMMUTABLE = "public, max-age=31536000, immutable";
/** On every answer of a private cache. */
export const PRIVATE = "private, no-store";

/** A character of a store path name. */
const NAME = "[0-9A-Za-z+\\-._?=]";
const HASH_PART = `${NIX32_CLASS}{32}`;

/** Far more than any of Nix has. */
export const SMALL_JSON: JsonLimits = { depth: 64, values: 8192 };
/** Two levels for each directory. A file has four values in 60 bytes, a short link three in 34. */
const LISTING_JSON: JsonLimits = { depth: 512, values: 6_000_000 };

const JSON_OBJECT = {
  contentType: "application/json",
  cacheControl: MUTABLE,
  maxBytes: SMALL_JSON_BYTES,
  json: SMALL_JSON,
} as const;

/**
 * Listings enter folders of one level only, and a reindex finds objects whose content names their owner by their folder:
 * the types refuse other entries.
 */
type EntryIn<F extends string> = Omit<Kind, "pattern" | "folder" | "ownership"> & {
  readonly folder: F extends ""
    ? F
    : F extends `${infer Level}/`
      ? Level extends `${string}/${string}`
        ? never
        : F
      : never;
  readonly ownership: F extends "" ? Exclude<Ownership, { readonly by: "content" }> : Ownership;
  /** The part of the pattern after the folder. */
  readonly names: string;
};

function kind<const F extends string>({ names, ...rest }: EntryIn<F> & { readonly folder: F }): Kind {
  return { ...rest, pattern: new RegExp(`^${rest.folder}${names}$`) };
}

export const NARINFO = kind({
  name: "narinfo",
  folder: "",
  names: `${HASH_PART}\\.narinfo`,
  contentType: "text/x-nix-narinfo",
  cacheControl: MUTABLE,
  maxBytes: MIB,
  ownership: { by: "itself" },
  upload: "narinfo",
  compressionSetting: "narinfo-compression",
});

export const NAR = kind({
  name: "nar",
  folder: "nar/",
  // Every object under nar/ is served, so that caches filled by other tools work.
  names: ".+",
  contentType: "application/x-nix-nar",
  cacheControl: IMMUTABLE,
  maxBytes: MAX_SINGLE_PUT_BYTES,
  ownership: { by: "itself" },
  upload: "nar",
  compressionSetting: "compression",
});

export const LISTING = kind({
  ...JSON_OBJECT,
  name: "listing",
  folder: "",
  names: `${HASH_PART}\\.ls`,
  // That of a whole texlive has more than 16.
  maxBytes: 64 * MIB,
  json: LISTING_JSON,
  mayBeLeftOut: true,
  ownership: { by: "key", of: "path", ending: ".ls" },
  upload: "as-sent",
  compressionSetting: "ls-compression",
});

export const KINDS: readonly Kind[] = [
  NARINFO,
  NAR,
  LISTING,
  kind({
    name: "log",
    folder: "log/",
    names: `${HASH_PART}-${NAME}+\\.drv`,
    contentType: "text/plain; charset=utf-8",
    cacheControl: MUTABLE,
    maxBytes: 32 * MIB,
    ownership: { by: "key", of: "deriver", ending: "" },
    upload: "as-sent",
    compressionSetting: "log-compression",
    nameMayHaveQuestionMark: true,
  }),
  kind({
    ...JSON_OBJECT,
    name: "realisation",
    folder: "realisations/",
    names: `sha256:[0-9a-f]{64}!${NAME}+\\.doi`,
    ownership: { by: "content", of: "path", owner: outPathIn },
    upload: "realisation",
    nameMayHaveQuestionMark: true,
  }),
  kind({
    ...JSON_OBJECT,
    name: "build-trace",
    folder: "build-trace-v2/",
    names: `${HASH_PART}-${NAME}+/${NAME}+\\.doi`,
    ownership: { by: "content", of: "path", owner: outPathIn },
    upload: "realisation",
    nameMayHaveQuestionMark: true,
  }),
  kind({
    ...JSON_OBJECT,
    name: "debuginfo",
    folder: "debuginfo/",
    names: "[0-9a-f]{40}(\\.debug)?",
    ownership: { by: "content", of: "nar", owner: archiveIn },
    upload: "as-sent",
    mayBeLeftOut: true,
    // Readers ask with and without the ending; Nix writes it.
    key: (path) => (path.endsWith(".debug") ? path : `${path}.debug`),
  }),
];

/** The folders that objects of a cache are in. */
export const FOLDERS: readonly string[] = KINDS.map(({ folder }) => folder).filter((folder) => folder !== "");

/** Folders that no route serves: pins (small JSON of the catalog) and the parts of uploads in flight. */
export const PIN_FOLDER = "pins/";
export const STAGING_FOLDER = "uploads/";

/** The key of the listing of a path by its hash part. */
export function listingKey(hash: string): string {
  return `${hash}.ls`;
}

export function keyOf(kind: Kind, path: string): string {
  return kind.key === undefined ? path : kind.key(path);
}

export function cacheControl(isPrivate: boolean, ofPublic: string = MUTABLE): string {
  return isPrivate ? PRIVATE : ofPublic;
}
