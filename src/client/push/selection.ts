// Which of the missing paths are pushed: those that are not excluded, and whose references can be there.
import type { PathInfo } from "../store/path-info.ts";

export interface LeftOut {
  readonly path: string;
  readonly reason: string;
}

export interface Rules {
  /** Matched with base names. */
  readonly exclude: readonly RegExp[];
  /** Bytes of the NAR. */
  readonly maxSize: number | undefined;
}

/**
 * `sorted` are the missing paths in topological order. A path that refers to one that is left out is left out, too: the
 * cache accepts complete closures only.
 */
export function select(
  sorted: readonly PathInfo[],
  { exclude, maxSize }: Rules,
): { readonly chosen: PathInfo[]; readonly leftOut: LeftOut[] } {
  const reasons = new Map<string, string>();
  const chosen: PathInfo[] = [];
  for (const info of sorted) {
    const reason = reasonOf(info);
    if (reason === undefined) chosen.push(info);
    else reasons.set(info.path, reason);
  }
  return { chosen, leftOut: [...reasons].map(([path, reason]) => ({ path, reason })) };

  function reasonOf({ path, narSize, references }: PathInfo): string | undefined {
    const baseName = path.slice(path.lastIndexOf("/") + 1);
    const pattern = exclude.find((each) => each.test(baseName));
    if (pattern !== undefined) return `excluded by ${pattern.source}`;
    if (maxSize !== undefined && narSize > maxSize) return `larger than --max-size: ${narSize} bytes`;
    const without = references.find((reference) => reference !== path && reasons.has(reference));
    return without && `refers to ${without}, which is left out`;
  }
}
