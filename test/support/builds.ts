/** The same path once more, with another content. */
import { type TestPath, testPath } from "./store-paths.ts";

export function otherBuild(path: TestPath, changes: Partial<TestPath["info"]> = {}): Promise<TestPath> {
  return testPath(path.info.storePath.name, `another build of ${path.info.storePath.name}`, changes);
}
