/** Uploads of 1.2 GB: a minute each and some GB of disk. They run only where LARGE_UPLOADS=1 asks for them, as in CI. */
import { writeSync } from "node:fs";
import { describe } from "vitest";

const STDERR = 2;

/** `describe`, but skipped without LARGE_UPLOADS=1, with a line that says so. */
export function describeLargeUpload(name: string, tests: () => void): void {
  const isAsked = process.env.LARGE_UPLOADS === "1";
  // Past Vitest, which may swallow it.
  if (!isAsked) writeSync(STDERR, `${name} skipped: it runs with LARGE_UPLOADS=1\n`);
  describe.skipIf(!isAsked)(name, tests);
}
