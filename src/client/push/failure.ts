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
  if (done.length > 0)
    return new Failure("partly", `${failed.length} paths were not ${what}: ${first.reason}`);
  return first.error instanceof Failure ? first.error : new Failure("failed", first.reason);
}
