/** Three store paths that refer to each other, for tests of the catalog. */
import { formatNarInfo } from "../../src/nix/narinfo.ts";
import { publishPath } from "./runs.ts";
import { compressedPath, type TestPath, testPath } from "./store-paths.ts";

export interface Closure {
  readonly library: TestPath;
  /** Refers to the library. */
  readonly app: TestPath;
  /** Refers to both; nothing refers to it. */
  readonly packed: TestPath;
  /** All, each after what it refers to. */
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

export function withInfo(path: TestPath, changes: Partial<TestPath["info"]>): TestPath {
  const info = { ...path.info, ...changes };
  return { ...path, info, text: formatNarInfo(info) };
}

export const hashOf = (path: TestPath): string => path.info.storePath.hash;
export const baseNameOf = (path: TestPath): string => path.info.storePath.baseName;
