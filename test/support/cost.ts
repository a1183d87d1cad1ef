/** Counting what requests cost in R2 operations, by class. */
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { watch } from "./bucket.ts";
import { type Answer, cacheWith, type TestCache } from "./cache.ts";

export interface Cost {
  readonly name: string;
  readonly status: number;
  /** Class A: writing and listing. */
  readonly A: number;
  /** Class B: reading. */
  readonly B: number;
  readonly prepare?: () => Promise<unknown>;
  readonly request: (cache: TestCache) => Promise<Answer>;
}

/** One test for each: its status and exactly these operations. */
export function describeCosts(costs: readonly Cost[]): void {
  describe.each(costs)("$name ($status): $A class A, $B class B", ({ status, A, B, prepare, request }) => {
    test("counted", async () => {
      await prepare?.();
      const watched = watch(env.BUCKET);
      const answer = await request(cacheWith({ BUCKET: watched.bucket }));
      expect([answer.status, watched.billed()]).toEqual([status, { A, B }]);
    });
  });
}
