/**
 * Every route against every fault of the bucket, at each operation that it performs: there is always an answer, never a
 * defect's; and whatever has happened, the same request then goes well and a check finds nothing wrong.
 */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import type { Env } from "../../src/env.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";
import {
  answeringLate,
  delaying,
  failing,
  type Interference,
  losingAnswers,
  type Operation,
  truncating,
  watch,
} from "../support/bucket.ts";
import { ADMIN_TOKEN, type Answer, cacheWith, keys, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { SCENES, type Scene, send } from "../support/scenes.ts";
import { SLOW_MS } from "../support/slow.ts";

afterEach(reset);
captureLog();

const DELAY_MS = 5;
const VARIABLES: Partial<Env> = {
  ADMIN_TOKEN,
  TOKEN_SECRET: "a secret of more than thirty-two characters".replaceAll(" ", "-"),
  // So that reads by pushers are noted.
  CACHES: { "nix-cache": { retention_days: 30 } },
  SIGNING_KEY: (await generateSecretKey("faults-1")).secret,
};

type At = (operation: Operation) => boolean;
type Fault = Interference & { readonly settled?: () => Promise<unknown> };

/** Which operations are hit, of those from the one on whose turn it is. */
const ALONE = (number: number, at: number) => number === at;
const AND_ALL_AFTER = (number: number, at: number) => number >= at;

const FAULTS: readonly (readonly [name: string, fault: (when: At) => Fault, hits: typeof ALONE])[] = [
  ["fails", failing, ALONE],
  ["fails, and all after it", failing, AND_ALL_AFTER],
  ["loses its answer", losingAnswers, ALONE],
  ["loses its answer, and all after it", losingAnswers, AND_ALL_AFTER],
  ["happens later than its failure", (when) => answeringLate(when, DELAY_MS), ALONE],
  ["breaks off the body", truncating, ALONE],
];

/** A new bucket and catalog with what the scene needs, and its request. */
async function prepared(scene: Scene): Promise<Scene> {
  await reset();
  return { ...scene, ...(await scene.prepare?.(cacheWith(VARIABLES))) };
}

function illCache(fault: Interference): TestCache & { readonly operations: readonly Operation[] } {
  const { bucket, operations } = watch(env.BUCKET, fault);
  return { ...cacheWith({ ...VARIABLES, BUCKET: bucket }), operations };
}

/** The answer, or `undefined` where its body has broken off: the client knows that it has not got all of it. */
async function answerOf(cache: TestCache, scene: Scene): Promise<Answer | undefined> {
  try {
    return await send(cache, scene);
  } catch (error) {
    if (scene.method === "GET" && /connection lost/i.test(String(error))) return undefined;
    throw error;
  }
}

/** What a client may be told while the bucket is ill: what it would be told otherwise, or to try again. */
function expectHonest({ path, again = [] }: Scene, answer: Answer, well: Answer): void {
  if ([well.status, ...again].includes(answer.status)) return;
  expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 503 });
  // Monitors ask again anyway.
  if (path !== "/health") expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
  expect(answer.headers.get("Cache-Control")).toBe("no-store");
  expect(answer.text).not.toMatch(/\bat .*:\d+|TypeError|undefined|\[object |10001|connection lost/i);
}

async function expectConsistent(): Promise<void> {
  const cache = cacheWith(VARIABLES);
  const { text } = await send(cache, {
    method: "POST",
    path: "/api/v1/check",
    body: '{"restart": true, "repair": false}',
  });
  const { done, findings } = JSON.parse(text) as {
    done: boolean;
    findings: Record<string, { first: readonly { name: string }[] }>;
  };
  expect({ done, text }).toMatchObject({ done: true });
  expect(Object.values(findings).flatMap(({ first }) => first)).toEqual([]);
}

describe.each(SCENES.map((scene) => [`${scene.method} ${scene.path}`, scene] as const))("%s", (_, scene) => {
  test.each(FAULTS)(
    "each operation in turn %s",
    async (_, fault, hits) => {
      const first = await prepared(scene);
      const healthy = illCache({});
      const well = await send(healthy, first);
      expect(well.status < 300, `${well.status}: ${well.text}`).toBe(scene.isRefused !== true);
      const after = (await keys()).length;
      for (let at = 0; at < healthy.operations.length; at++) {
        const request = await prepared(scene);
        const disturbance = fault(({ number }) => hits(number, at));
        const answer = await answerOf(illCache(disturbance), request);
        if (answer !== undefined) expectHonest(scene, answer, well);
        await disturbance.settled?.();
        const again = await send(cacheWith(VARIABLES), request);
        expect([well.status, ...(scene.again ?? [])], again.text).toContain(again.status);
        await expectConsistent();
        // Nothing that the request has not made anyway.
        if (scene.method !== "POST") expect((await keys()).length).toBe(after);
      }
    },
    SLOW_MS,
  );

  test(
    "a slow bucket gives the same answer",
    async () => {
      const well = await send(cacheWith(VARIABLES), await prepared(scene));
      const slow = await send(illCache(delaying(() => true, DELAY_MS)), await prepared(scene));
      expect(slow.status).toBe(well.status);
      await expectConsistent();
    },
    SLOW_MS,
  );

  test(
    "a catalog that fails is no defect",
    async () => {
      const request = await prepared(scene);
      const failed = () => Promise.reject(new Error("Durable Object reset because its code was updated."));
      const CATALOG = {
        getByName: () => new Proxy({}, { get: () => failed }),
      } as unknown as NonNullable<Env["CATALOG"]>;
      const ill = await send(cacheWith({ ...VARIABLES, CATALOG }), request);
      const well = await send(cacheWith(VARIABLES), request);
      expectHonest(scene, ill, well);
      await expectConsistent();
    },
    SLOW_MS,
  );
});
