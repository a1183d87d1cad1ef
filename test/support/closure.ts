/** Store paths that refer to each other, for tests of the catalog. */
import { keysOfOwner } from "../../src/bucket/companions.ts";
import { formatNarInfo } from "../../src/nix/narinfo.ts";
import { publishPath, storePath } from "./runs.ts";
import { compressedPath, type TestPath, testPath } from "./store-paths.ts";

export interface Closure {
  readonly library: TestPath;
  /** Refers to the library. */
  readonly app: TestPath;
  /** Refers to both; nothing refers to it. */
  readonly packed: TestPath;
  /** All, each after its references. */
  readonly all: readonly TestPath[];
}

export async function closure(): Promise<Closure> {
  const library = await testPath("library-1.0");
  const app = await testPath("app-1.0", "app", { references: [baseNameOf(library)] });
  const packed = withInfo(await compressedPath("packed-1.0"), {
    references: [baseNameOf(library), baseNameOf(app)],
    deriver: baseNameOf(app),
  });
  return { library, app, packed, all: [library, app, packed] };
}

export async function publishClosure(): Promise<Closure> {
  const paths = await closure();
  for (const path of paths.all) await publishPath(path);
  return paths;
}

/** The same, put there by another tool, without rows in the catalog. */
export async function storeClosure(): Promise<Closure> {
  const paths = await closure();
  for (const path of paths.all) await storePath(path);
  return paths;
}

/** Publishes paths in `levels` of `width`, each referring to all of the level before; the first level comes first. */
export async function publishLayers(levels: number, width: number): Promise<TestPath[][]> {
  const result: TestPath[][] = [];
  for (let level = 0; level < levels; level++) {
    const references = (result.at(-1) ?? []).map(baseNameOf);
    const paths = Array.from({ length: width }, (_, n) =>
      testPath(`path-${level}-${n}`, `path ${level} ${n}`, { references }),
    );
    result.push(await Promise.all(paths));
  }
  for (const path of result.flat()) await publishPath(path);
  return result;
}

export function withInfo(path: TestPath, changes: Partial<TestPath["info"]>): TestPath {
  const info = { ...path.info, ...changes };
  return { ...path, info, text: formatNarInfo(info) };
}

export const hashOf = (path: TestPath): string => path.info.storePath.hash;
export const baseNameOf = (path: TestPath): string => path.info.storePath.baseName;

/** What the edge drops when a path without a deriver is deleted: its narinfo, and the companions that it may have. */
export function purgedWith(path: TestPath): string[] {
  return [path.key, ...keysOfOwner("path", hashOf(path))].map((key) => `/${key}`);
}
