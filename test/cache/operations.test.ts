/** The cost of each request: R2 operations by class and catalog calls, no more than costs-of-reads.ts and costs-of-writes.ts allow. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { watch } from "../support/bucket.ts";
import { cacheWith } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { HASH } from "../support/objects.ts";
import { testPath } from "../support/store-paths.ts";
import type { Cost } from "./costs.ts";
import { RARE_READS, READS } from "./costs-of-reads.ts";
import { RARE_WRITES, WRITES } from "./costs-of-writes.ts";

afterEach(reset);
captureLog();

const path = await testPath();

const NO_OBJECTS: Cost[] = [
  { name: "GET /nix-cache-info", status: 200, A: 0, B: 0, request: (on) => on.get("/nix-cache-info") },
  { name: "PUT /nix-cache-info", status: 200, A: 0, B: 0, request: (on) => on.put("/nix-cache-info", "") },
  { name: "GET /", status: 200, A: 0, B: 0, request: (on) => on.get("/") },
  { name: "GET /health", status: 200, A: 0, B: 1, calls: 1, request: (on) => on.get("/health") },
  {
    name: "POST /api/v1/missing",
    status: 200,
    A: 0,
    B: 0,
    calls: 1,
    request: (on) => on.fetch("/api/v1/missing", { method: "POST", body: `{"paths": ["${HASH}"]}` }),
  },
  { name: "GET of an unknown path", status: 404, A: 0, B: 0, request: (on) => on.get("/favicon.ico") },
  {
    name: "DELETE",
    status: 405,
    A: 0,
    B: 0,
    request: (on) => on.fetch(`/${path.key}`, { method: "DELETE" }),
  },
  {
    name: "PUT without a token",
    status: 401,
    A: 0,
    B: 0,
    request: (on) => on.fetch(`/${path.key}`, { method: "PUT" }),
  },
];

describe.each([...READS, ...RARE_READS, ...NO_OBJECTS, ...WRITES, ...RARE_WRITES])(
  "$name ($status): $A class A, $B class B",
  ({ status, A, B, calls = 0, prepare, request }) => {
    test("counted", async () => {
      await prepare?.();
      const watched = watch(env.BUCKET);
      const counted = cacheWith({ BUCKET: watched.bucket });
      const answer = await request(counted);
      expect([answer.status, watched.billed(), counted.catalog.calls.length]).toEqual([
        status,
        { A, B },
        calls,
      ]);
    });
  },
);

test("what a refusal costs has a bound: no more than 200 missing references are looked up", async () => {
  const references = Array.from({ length: 300 }, (_, index) => `${String(index).padStart(32, "0")}-absent`);
  const many = await testPath("many-1.0", "many", { references });
  await cacheWith().put(`/${many.narKey}`, many.nar);
  const watched = watch(env.BUCKET);
  expect((await cacheWith({ BUCKET: watched.bucket }).put(`/${many.key}`, many.text)).status).toBe(409);
  expect(watched.billed()).toEqual({ A: 0, B: 201 });
});
