// The memory that the largest requests take of a real dev server, against their budgets. It is the least of some rounds,
// above what was there before: garbage that has not been collected yet is no need.
import { afterAll, beforeAll, expect, test } from "vitest";
import { BUDGETS } from "../budgets/budgets.ts";
import { type Server, startServer } from "../real-nix/server.ts";
import { LARGE, TOKEN } from "./large.ts";
import { memory, resetPeak, workerds } from "./workerd.ts";

const MB = 1e6;
const ROUNDS = 4;
/** By so much V8's young generation grows between two collections, whatever is asked. */
const YOUNG_MB = 16;

let server: Server;
beforeAll(async () => {
  server = await startServer({ PUSH_TOKEN: TOKEN });
});
afterAll(() => server.stop());

test.skipIf(process.platform !== "linux").each(LARGE)(
  "$what",
  async ({ operation, status, path, ...request }) => {
    const pids = workerds(server.group);
    const taken: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      resetPeak(pids);
      const before = memory(pids, "now");
      const answer = await fetch(`${server.url}${path}`, request as RequestInit);
      for await (const _ of answer.body ?? []);
      expect(answer.status).toBe(status);
      taken.push((memory(pids, "peak") - before) / MB);
    }
    expect(Math.min(...taken)).toBeLessThan(BUDGETS[operation].megabytes + YOUNG_MB);
  },
);
