/** The most that a kind of request may cost. */
import type { Answer, TestCache } from "../support/cache.ts";

export interface Cost {
  readonly name: string;
  readonly status: number;
  readonly A: number;
  readonly B: number;
  /** Calls of the catalog; absent where there is none. */
  readonly calls?: number;
  readonly prepare?: () => Promise<unknown>;
  readonly request: (cache: TestCache) => Promise<Answer>;
}
