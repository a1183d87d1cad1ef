// The Nix helpers of the tests. The client itself needs no test runner: the benchmark drives it, too.
import { describe } from "vitest";
import { nixVersion } from "./client.ts";

export * from "./client.ts";

/** `describe`, but skipped without Nix. */
export const describeNix = describe.skipIf(nixVersion === undefined);
