/** Graphs of store paths that were never built, for tests of histories: a few paths, each in several builds. */
import { createHash } from "node:crypto";
import { brotliCompressSync, zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import type { Hash } from "../../src/nix/hash.ts";
import { formatNarInfo, type NarInfo } from "../../src/nix/narinfo.ts";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { narOfFile } from "./nar.ts";

/** One way in which a path can be pushed: its narinfo and the NAR that it names. */
export interface Build {
  readonly info: NarInfo;
  /** The narinfo as text. */
  readonly text: string;
  readonly hash: string;
  /** Of the narinfo in the bucket. */
  readonly key: string;
  readonly narKey: string;
  /** The bytes of the NAR as it is stored. */
  readonly nar: Uint8Array<ArrayBuffer>;
  readonly sha256: string;
}

/** A path: all of its builds. The first two are the same content in two compressions; the third is another content. */
export type Builds = readonly [Build, Build, Build];

/** Paths in an order in which they can be pushed: each refers only to earlier ones, and perhaps to itself. */
export type Graph = readonly Builds[];

export interface NodeShape {
  /** Which of the earlier paths it refers to: one bit for each. */
  readonly references: number;
  /** The same for its other build. */
  readonly otherReferences: number;
  /** Paths with the same content share their NAR. */
  readonly content: number;
  readonly otherContent: number;
  readonly refersToItself: boolean;
}

export const MAX_PATHS = 8;

export const nodeShape: fc.Arbitrary<NodeShape> = fc.record({
  references: fc.nat(2 ** MAX_PATHS - 1),
  otherReferences: fc.nat(2 ** MAX_PATHS - 1),
  content: fc.nat(3),
  otherContent: fc.nat(3),
  refersToItself: fc.boolean(),
});

export const graphShape = fc.array(nodeShape, { minLength: 4, maxLength: MAX_PATHS });

export function graphOf(shapes: readonly NodeShape[]): Graph {
  const names = shapes.map((_, index) => {
    const name = `path-${index}`;
    return { hash: encodeNix32(sha256(name).bytes.slice(0, 20)), name };
  });
  return shapes.map((shape, index) => {
    const own = names[index] as { hash: string; name: string };
    const baseName = ({ hash, name }: { hash: string; name: string }) => `${hash}-${name}`;
    const references = (mask: number) => [
      ...names
        .slice(0, index)
        .filter((_, earlier) => (mask >> earlier) & 1)
        .map(baseName),
      ...(shape.refersToItself ? [baseName(own)] : []),
    ];
    const info = (mask: number, content: Content): Omit<NarInfo, "url" | "compression"> => ({
      storePath: { storeDir: "/nix/store", ...own, baseName: baseName(own) },
      narHash: sha256(content.none),
      narSize: content.none.length,
      references: references(mask),
      signatures: [],
      extra: [],
    });
    const first = contentOf(`archive ${shape.content}`);
    const other = contentOf(`another archive ${shape.otherContent}`);
    return [
      build(info(shape.references, first), "br", first),
      build(info(shape.references, first), "zstd", first),
      build(info(shape.otherReferences, other), "none", other),
    ];
  });
}

const ENDINGS = { none: ".nar", br: ".nar.br", zstd: ".nar.zst" } as const;

/** A NAR, as it is and compressed. */
type Content = Readonly<Record<keyof typeof ENDINGS, Uint8Array<ArrayBuffer>>>;

/** Made once: thousands of graphs have the same few. */
const contents = new Map<string, Content>();

function contentOf(text: string): Content {
  const none = narOfFile(new TextEncoder().encode(text));
  const content = contents.get(text) ?? {
    none,
    br: new Uint8Array(brotliCompressSync(none)),
    zstd: new Uint8Array(zstdCompressSync(none)),
  };
  contents.set(text, content);
  return content;
}

function build(
  partial: Omit<NarInfo, "url" | "compression">,
  compression: keyof typeof ENDINGS,
  content: Content,
): Build {
  const nar = content[compression];
  const fileHash = sha256(nar);
  const narKey = `nar/${encodeNix32(fileHash.bytes)}${ENDINGS[compression]}`;
  const info: NarInfo = { ...partial, url: narKey, compression, fileHash, fileSize: nar.length };
  return {
    info,
    text: formatNarInfo(info),
    hash: info.storePath.hash,
    key: `${info.storePath.hash}.narinfo`,
    narKey,
    nar,
    sha256: fileHash.bytes.toHex(),
  };
}

/** A build and, before it, the first builds of its references. */
export function closureOf(graph: Graph, build: Build): Build[] {
  const closure = new Set<Build>();
  const visit = (build: Build) => {
    for (const reference of build.info.references) {
      const builds = graph.find(([{ info }]) => info.storePath.baseName === reference);
      if (builds !== undefined && builds[0].hash !== build.hash) visit(builds[0]);
    }
    closure.add(build);
  };
  visit(build);
  return [...closure];
}

/** By any numbers: they begin again where there are no more. */
export function buildAt(graph: Graph, path: number, build: number): Build {
  const builds = graph[path % graph.length] as Builds;
  return builds[build % builds.length] as Build;
}

/** Hash parts of the paths that the deletion of a path may delete. */
export function affectedBy(graph: Graph, { hash }: Build, withReferrers: boolean): string[] {
  const hashes = graph.map(([build]) => build.hash);
  return withReferrers ? hashes.slice(hashes.indexOf(hash)) : [hash];
}

/** A well-formed signature, which is never verified. */
export function signature(signer: number): string {
  return `signer-${signer}:${new Uint8Array(64).fill(signer).toBase64()}`;
}

export function signed(text: string, ...signers: readonly number[]): string {
  return text + signers.map((signer) => `Sig: ${signature(signer)}\n`).join("");
}

function sha256(data: string | Uint8Array): Hash {
  return { algorithm: "sha256", bytes: new Uint8Array(createHash("sha256").update(data).digest()) };
}
