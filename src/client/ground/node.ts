// The Node that runs the client: an older one lacks the zstd and the SQLite that commands load when they run.
import { Failure } from "./failure.ts";

/** The same that `bin/node` looks for. */
const OLDEST = [22, 18] as const;

/** Throws {@link Failure} on a Node that is too old; `version` such as `22.18.0`. */
export function requireNode(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  throw new Failure("failed", `nix-cache needs Node ${OLDEST.join(".")} or later, and this is ${version}`);
}
