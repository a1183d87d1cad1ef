// The failure of a whole push or import, from those of its paths.
import { Failure } from "../ground/failure.ts";
import type { FailedPath } from "./schedule.ts";

/** The first one where nothing was done, else `partly`; `undefined` where all was done. */
export function failureOf(
  done: readonly string[],
  failed: readonly FailedPath[],
  what: string,
): Failure | undefined {
  const [first] = failed;
  if (first === undefined) return undefined;
  if (done.length > 0) {
    const count = failed.length === 1 ? "1 path was" : `${failed.length} paths were`;
    return new Failure("partly", `${count} not ${what}: ${lineOfPath(first)}`);
  }
  return first.error instanceof Failure ? first.error : new Failure("failed", first.reason);
}

/** One line for the user. The cache's own words may name the path already. */
export function lineOfPath({ path, reason }: FailedPath): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return reason.includes(name) ? reason : `${path}: ${reason}`;
}
