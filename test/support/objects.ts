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

export interface ExampleObject {
  readonly kind: string;
  readonly key: string;
  readonly body: string;
  readonly contentType: string;
  readonly cacheControl: string;
}

/** A PUT of the narinfo would fail, because its NAR is not there. */
export const OBJECTS: readonly ExampleObject[] = [
  {
    kind: "narinfo",
    key: `${HASH}.narinfo`,
    body: `StorePath: /nix/store/${HASH}-demo\n`,
    contentType: "text/x-nix-narinfo",
    cacheControl: MUTABLE,
  },
  {
    kind: "nar",
    key: `nar/${NAR_HASH}.nar.xz`,
    body: "an archive",
    contentType: "application/x-nix-nar",
    cacheControl: IMMUTABLE,
  },
  {
    kind: "listing",
    key: `${HASH}.ls`,
    body: '{"version":1,"root":{"type":"regular"}}',
    contentType: "application/json",
    cacheControl: MUTABLE,
  },
  {
    kind: "log",
    key: `log/${HASH}-demo-1.0.drv`,
    body: "building demo: häß\n",
    contentType: "text/plain; charset=utf-8",
    cacheControl: MUTABLE,
  },
  {
    kind: "realisation",
    key: `realisations/sha256:${DRV_HASH}!out.doi`,
    body: realisation(`sha256:${DRV_HASH}!out`, `${HASH}-demo`),
    contentType: "application/json",
    cacheControl: MUTABLE,
  },
  {
    kind: "build-trace",
    key: `build-trace-v2/${HASH}-demo.drv/out.doi`,
    body: `{"outPath":"${HASH}-demo","signatures":[]}`,
    contentType: "application/json",
    cacheControl: MUTABLE,
  },
  {
    kind: "debuginfo",
    key: `debuginfo/${BUILD_ID}.debug`,
    body: '{"archive":"../nar/x.nar","member":"lib/debug/x.debug"}',
    contentType: "application/json",
    cacheControl: MUTABLE,
  },
];

/** Companions: kinds whose PUT needs no other object. */
export const METADATA = OBJECTS.filter(({ kind }) => kind !== "narinfo" && kind !== "nar");

const KINDS_AS_SENT = new Set(KINDS.filter(({ upload }) => upload === "as-sent").map(({ name }) => name));
/** Those of which the cache stores what it was sent. */
export const AS_SENT = METADATA.filter(({ kind }) => KINDS_AS_SENT.has(kind));
/** Those that it parses, merges and signs. */
export const REALISATIONS = METADATA.filter(({ kind }) => !KINDS_AS_SENT.has(kind));

export interface Owner {
  readonly hash: string;
  readonly baseName: string;
  readonly deriver: string;
  readonly narKey: string;
}

/** Key and content of an object of each kind that a path, its deriver or its NAR owns. */
const COMPANIONS: Readonly<Record<string, (owner: Owner) => readonly [key: string, body: string]>> = {
  listing: ({ hash }) => [`${hash}.ls`, '{"version":1}'],
  log: ({ deriver }) => [`log/${deriver}`, "building"],
  realisation: ({ baseName }) => [
    `realisations/sha256:${"a".repeat(64)}!out.doi`,
    realisation(`sha256:${"a".repeat(64)}!out`, baseName),
  ],
  "build-trace": ({ baseName, deriver }) => [
    `build-trace-v2/${deriver}/out.doi`,
    `{"outPath":"${baseName}","signatures":[]}`,
  ],
  debuginfo: ({ narKey }) => [
    `debuginfo/${BUILD_ID}.debug`,
    `{"archive":"../${narKey}","member":"lib/x.debug"}`,
  ],
};

/** An object of a kind that this path owns. Throws for a kind without an example: add one. */
export function companionOf(kind: string, owner: Owner): readonly [key: string, body: string] {
  const companion = COMPANIONS[kind];
  if (companion === undefined) throw new Error(`no example of a ${kind}: add one to test/support/objects.ts`);
  return companion(owner);
}
