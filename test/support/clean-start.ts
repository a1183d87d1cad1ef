/**
 * Leaves nothing to the next file of tests. One runtime runs many files, one after the other, because a runtime takes
 * longer to start than most files take to run. Vitest itself restores what was spied on. What a module remembers stays:
 * a module of `test/support` must register its hooks in a function that each file calls, never when it is imported.
 */
import { reset } from "cloudflare:test";
import { afterAll, vi } from "vitest";

afterAll(async () => {
  vi.useRealTimers();
  await reset();
});
