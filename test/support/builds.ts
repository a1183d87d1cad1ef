/** The same path once more: with another content, or with the same one compressed. */
import { withInfo } from "./closure.ts";
import { compressedPath, type TestPath, testPath } from "./store-paths.ts";

/** The same path with another content. */
export function otherBuild(path: TestPath, changes: Partial<TestPath["info"]> = {}): Promise<TestPath> {
  return testPath(path.info.storePath.name, `another build of ${path.info.storePath.name}`, changes);
}

/** The same content of a path, compressed. */
export async function compressed(path: TestPath): Promise<TestPath> {
  const { narHash, narSize } = path.info;
  return withInfo(await compressedPath(path.info.storePath.name), { narHash, narSize });
}
