/** One object of each kind in src/bucket/kinds.ts: for its routes, and for a path that owns it. */
import { KINDS } from "../../src/bucket/kinds.ts";

export const HASH = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv";
export const NAR_HASH = "11hx99lg325wygx585wk5r3a1xczf282w7v79dmwvvhyyhxkc8zb";
export const DRV_HASH = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c";
export const BUILD_ID = "0123456789abcdef0123456789abcdef01234567";

export const MUTABLE = "public, max-age=3600";
export const IMMUTABLE = "public, max-age=31536000, immutable";

/** The text of a realisation as Nix writes it. */
export function realisation(id: string, outPath: string, signatures: readonly string[] = []): string {
  return JSON.stringify({ dependentRealisations: {}, id, outPath, signatures });
}

export function withSignatures(realisation: string, ...signatures: string[]): string {
  return JSON.stringify({ ...JSON.parse(realisation), signatures });
}

export interface Owner {
  readonly hash: string;
  readonly baseName: string;
  readonly deriver: string;
  readonly narKey: string;
}

interface Example {
  readonly contentType: string;
  /** {@link MUTABLE} where it is not given. */
  readonly cacheControl?: string;
  /** Of a companion: the one that this path, its deriver or its NAR owns. */
  readonly object: (owner: Owner) => readonly [key: string, body: string];
}

/** By kind. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  narinfo: {
    contentType: "text/x-nix-narinfo",
    object: ({ hash, baseName }) => [`${hash}.narinfo`, `StorePath: /nix/store/${baseName}\n`],
  },
  nar: {
    contentType: "application/x-nix-nar",
    cacheControl: IMMUTABLE,
    object: ({ narKey }) => [narKey, "an archive"],
  },
  listing: {
    contentType: "application/json",
    object: ({ hash }) => [`${hash}.ls`, '{"version":1,"root":{"type":"regular"}}'],
  },
  log: {
    contentType: "text/plain; charset=utf-8",
    object: ({ deriver }) => [`log/${deriver}`, "building demo: häß\n"],
  },
  realisation: {
    contentType: "application/json",
    object: ({ baseName }) => [
      `realisations/sha256:${DRV_HASH}!out.doi`,
      realisation(`sha256:${DRV_HASH}!out`, baseName),
    ],
  },
  "build-trace": {
    contentType: "application/json",
    object: ({ baseName, deriver }) => [
      `build-trace-v2/${deriver}/out.doi`,
      `{"outPath":"${baseName}","signatures":[]}`,
    ],
  },
  debuginfo: {
    contentType: "application/json",
    object: ({ narKey }) => [
      `debuginfo/${BUILD_ID}.debug`,
      `{"archive":"../${narKey}","member":"lib/debug/x.debug"}`,
    ],
  },
};

export interface ExampleObject {
  readonly kind: string;
  readonly key: string;
  readonly body: string;
  readonly contentType: string;
  readonly cacheControl: string;
}

const OWNER: Owner = {
  hash: HASH,
  baseName: `${HASH}-demo`,
  deriver: `${HASH}-demo-1.0.drv`,
  narKey: `nar/${NAR_HASH}.nar.xz`,
};

/** A PUT of the narinfo would fail, because its NAR is not there. */
export const OBJECTS: readonly ExampleObject[] = KINDS.map(({ name }) => {
  const { contentType, cacheControl = MUTABLE } = exampleOf(name);
  const [key, body] = companionOf(name, OWNER);
  return { kind: name, key, body, contentType, cacheControl };
});

/** Companions: kinds whose PUT needs no other object. */
export const METADATA = OBJECTS.filter(({ kind }) => kind !== "narinfo" && kind !== "nar");

const KINDS_AS_SENT = new Set(KINDS.filter(({ upload }) => upload === "as-sent").map(({ name }) => name));
/** Those of which the cache stores what it was sent. */
export const AS_SENT = METADATA.filter(({ kind }) => KINDS_AS_SENT.has(kind));
/** Those that it parses, merges and signs. */
export const REALISATIONS = METADATA.filter(({ kind }) => !KINDS_AS_SENT.has(kind));

/** An object of a kind that this path owns. */
export function companionOf(kind: string, owner: Owner): readonly [key: string, body: string] {
  return exampleOf(kind).object(owner);
}

function exampleOf(kind: string): Example {
  const example = EXAMPLES[kind];
  if (example === undefined)
    throw new Error(`no example of a ${kind}: add one to EXAMPLES in test/support/objects.ts`);
  return example;
}
