/** Several pushers of one path at the same moment: nobody's signature is lost, and the loser of a race is no failure. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { formatNarInfo, parseNarInfo } from "../../src/nix/narinfo.ts";
import { meanwhile, type Operation, r2Error, watch } from "../support/bucket.ts";
import { cacheWith } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { expectRefusal } from "../support/refusal.ts";
import { push, testPath } from "../support/store-paths.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
const path = await testPath();
const another = await testPath("hello-1.0", "another build");

function signature(number: number): string {
  return `key-${number}:${new Uint8Array(64).fill(number).toBase64()}`;
}

function signed(...numbers: number[]): string {
  return formatNarInfo({ ...path.info, signatures: numbers.map(signature) });
}

async function publishedSignatures(): Promise<string[]> {
  return parseNarInfo((await cache.get(`/${path.key}`)).text, "/nix/store").signatures;
}

const isNarInfoPut = ({ name, key }: Operation) => name === "put" && key === path.key;

/** A cache in which something else happens between reading the narinfo and writing it. */
function racing(action: () => unknown) {
  return cacheWith({ BUCKET: watch(env.BUCKET, meanwhile(isNarInfoPut, action)).bucket });
}

describe("between looking and writing", () => {
  test("somebody publishes the path with another signature: both are kept", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const late = racing(() => cache.put(`/${path.key}`, signed(1)));
    expect((await late.put(`/${path.key}`, signed(2))).status).toBe(200);
    expect(await publishedSignatures()).toEqual([signature(1), signature(2)]);
  });

  test("somebody signs the published path: both are kept", async () => {
    await push(cache, path, signed(1));
    const late = racing(() => cache.put(`/${path.key}`, signed(2)));
    expect((await late.put(`/${path.key}`, signed(3))).status).toBe(200);
    expect(await publishedSignatures()).toEqual([1, 2, 3].map(signature));
  });

  test("somebody publishes the very same: nothing more is written", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    let version: string | undefined;
    const late = racing(async () => {
      await cache.put(`/${path.key}`, path.text);
      version = (await env.BUCKET.head(path.key))?.version;
    });
    expect((await late.put(`/${path.key}`, path.text)).status).toBe(200);
    expect((await env.BUCKET.head(path.key))?.version).toBe(version);
  });

  test("somebody publishes another build: the first one stays", async () => {
    await push(cache, another, another.text);
    await env.BUCKET.delete(another.key);
    await cache.put(`/${path.narKey}`, path.nar);
    const late = racing(() => cache.put(`/${another.key}`, another.text));
    expect(await late.put(`/${path.key}`, signed(1))).toMatchObject({
      status: 200,
      text: expect.stringMatching(/the first build stays/),
    });
    expect((await cache.get(`/${path.key}`)).text).toBe(another.text);
  });

  test("the published path is deleted: it is published anew", async () => {
    await push(cache, path, signed(1));
    const late = racing(() => env.BUCKET.delete(path.key));
    expect((await late.put(`/${path.key}`, signed(2))).status).toBe(201);
    expect(await publishedSignatures()).toEqual([signature(2)]);
  });

  test("its NAR is deleted and the path with it: refused, not published without a NAR", async () => {
    await push(cache, path, signed(1));
    const late = racing(() => env.BUCKET.delete([path.key, path.narKey]));
    expectRefusal(await late.put(`/${path.key}`, signed(2)), 409);
    expectRefusal(await cache.get(`/${path.key}`), 404);
  });
});

describe("at once", () => {
  test("eight pushers with eight signatures: none is lost", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const numbers = [1, 2, 3, 4, 5, 6, 7, 8];
    const answers = await Promise.all(numbers.map((number) => cache.put(`/${path.key}`, signed(number))));
    const succeeded = numbers.filter((_, index) => (answers[index]?.status ?? 500) < 300);
    expect(succeeded.length).toBeGreaterThan(0);
    for (const answer of answers) if (answer.status >= 300) expectRefusal(answer, 503);
    expect(await publishedSignatures()).toEqual(expect.arrayContaining(succeeded.map(signature)));
  });

  test("two builds: one of them stays, whole", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    await cache.put(`/${another.narKey}`, another.nar);
    const answers = await Promise.all([
      cache.put(`/${path.key}`, path.text),
      cache.put(`/${another.key}`, another.text),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 201]);
    expect([path.text, another.text]).toContain((await cache.get(`/${path.key}`)).text);
  });

  test("more than can be merged: 503 and Retry-After, and nothing is lost", async () => {
    await push(cache, path, signed(0));
    let number = 1;
    const { bucket } = watch(env.BUCKET, {
      before: async (operation) => {
        if (isNarInfoPut(operation)) await cache.put(`/${path.key}`, signed(number++));
      },
    });
    const answer = await cacheWith({ BUCKET: bucket }).put(`/${path.key}`, signed(99));
    expect(expectRefusal(answer, 503)).toMatch(/try again/);
    expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    expect(await publishedSignatures()).toEqual([0, 1, 2, 3, 4, 5].map(signature));
  });
});

describe("R2 refuses the second write within a second (429, code 10058)", () => {
  const refused = (action: () => unknown) =>
    watch(env.BUCKET, {
      before: async (operation) => {
        if (!isNarInfoPut(operation)) return;
        await action();
        throw r2Error("put", "Reduce your concurrent request rate for the same object.", 10058);
      },
    });

  test("the loser succeeds if the winner has written the same", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const race = refused(() => cache.put(`/${path.key}`, path.text));
    expect((await cacheWith({ BUCKET: race.bucket }).put(`/${path.key}`, path.text)).status).toBeLessThan(
      300,
    );
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("the loser with another signature is told to try again, and then both are there", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const race = refused(() => cache.put(`/${path.key}`, signed(1)));
    const answer = await cacheWith({ BUCKET: race.bucket }).put(`/${path.key}`, signed(2));
    expectRefusal(answer, 503);
    expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    expect((await cache.put(`/${path.key}`, signed(2))).status).toBe(200);
    expect(await publishedSignatures()).toEqual([signature(1), signature(2)]);
  });
});
