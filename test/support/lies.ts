/** Paths that are too large to be unpacked during their publication, and the same paths with a NAR that is another's. */
import { formatNarInfo } from "../../src/nix/narinfo.ts";
import { compressed, type TestPath, testPath } from "./store-paths.ts";

/** Random bytes, which do not become fewer: more than a publication unpacks. */
const LARGE_BYTES = 40_000;

/** A path whose NAR is read only after its publication. */
export async function largePath(name: string, changes: Partial<TestPath["info"]> = {}): Promise<TestPath> {
  const bytes = new Uint8Array(LARGE_BYTES);
  crypto.getRandomValues(bytes);
  return compressed(await testPath(name, bytes.toBase64(), changes));
}

/** The path with the NAR of another one, as a damaged disk or an attacker pushes it. */
export function withNarOf(path: TestPath, other: TestPath): TestPath {
  const { url, fileHash, fileSize, compression } = other.info;
  const info = {
    ...path.info,
    ...{ url, compression },
    ...(fileHash && { fileHash }),
    ...(fileSize !== undefined && { fileSize }),
  };
  return { ...path, info, nar: other.nar, narKey: other.narKey, text: formatNarInfo(info) };
}
