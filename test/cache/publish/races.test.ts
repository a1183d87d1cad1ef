/**
 * Concurrent pushers, and other tools that change the bucket between the catalog's read and its write: no signature
 * is lost, and losing a race is no failure.
 */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { formatNarInfo, parseNarInfo } from "../../../src/nix/narinfo.ts";
import { meanwhile, type Operation, r2Error, watch } from "../../support/bucket.ts";
import { type Answer, cacheWith, contents, store } from "../../support/cache.ts";
import { captureLog } from "../../support/log.ts";
import { expectRefusal } from "../../support/refusal.ts";
import { push, testPath } from "../../support/store-paths.ts";

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

/** A cache in which another tool does something to the bucket just before the narinfo is written. */
function racing(action: () => unknown) {
  return cacheWith({ BUCKET: watch(env.BUCKET, meanwhile(isNarInfoPut, action)).bucket });
}

describe("between what the catalog knows and what it writes another tool", () => {
  test("publishes the path with another signature: both are kept", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const late = racing(() => store(path.key, signed(1)));
    expect((await late.put(`/${path.key}`, signed(2))).status).toBe(200);
    expect(await publishedSignatures()).toEqual([signature(1), signature(2)]);
  });

  test("signs the published path: both are kept", async () => {
    await push(cache, path, signed(1));
    const late = racing(() => store(path.key, signed(1, 2)));
    expect((await late.put(`/${path.key}`, signed(3))).status).toBe(200);
    expect(await publishedSignatures()).toEqual([1, 2, 3].map(signature));
    // And the catalog has learned of it: the next one knows all three.
    expect((await cache.put(`/${path.key}`, signed(4))).status).toBe(200);
    expect(await publishedSignatures()).toEqual([1, 2, 3, 4].map(signature));
  });

  test("publishes the very same: nothing more is written", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    let version: string | undefined;
    const late = racing(async () => {
      version = (await store(path.key, path.text)).version;
    });
    expect((await late.put(`/${path.key}`, path.text)).status).toBe(200);
    expect((await env.BUCKET.head(path.key))?.version).toBe(version);
  });

  test("publishes another build: the first one stays", async () => {
    await store(another.narKey, another.nar);
    await cache.put(`/${path.narKey}`, path.nar);
    const late = racing(() => store(another.key, another.text));
    expect(await late.put(`/${path.key}`, signed(1))).toMatchObject({
      status: 200,
      text: expect.stringMatching(/the first build stays/),
    });
    expect((await cache.get(`/${path.key}`)).text).toBe(another.text);
  });

  test("publishes another build without its NAR: that one is broken, and replaced", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const late = racing(() => store(another.key, another.text));
    expect((await late.put(`/${path.key}`, signed(1))).status).toBe(200);
    expect((await cache.get(`/${path.key}`)).text).toBe(signed(1));
  });

  test("deletes the published path: it is published anew", async () => {
    await push(cache, path, signed(1));
    const late = racing(() => env.BUCKET.delete(path.key));
    expect((await late.put(`/${path.key}`, signed(2))).status).toBe(201);
    expect(await publishedSignatures()).toEqual([signature(2)]);
  });

  test("deletes its NAR and the path with it: refused, not published without a NAR; a push heals", async () => {
    await push(cache, path, signed(1));
    const late = racing(() => env.BUCKET.delete([path.key, path.narKey]));
    expectRefusal(await late.put(`/${path.key}`, signed(2)), 409);
    expectRefusal(await cache.get(`/${path.key}`), 404);
    expect((await push(cache, path, signed(2))).status).toBeLessThan(300);
    expect(await publishedSignatures()).toContain(signature(2));
    expect((await cache.get(`/${path.narKey}`)).bytes).toEqual(path.nar);
  });

  test("changes the path each time: 503 and Retry-After, and nothing is lost", async () => {
    await push(cache, path, signed(0));
    const numbers = [0];
    const { bucket } = watch(env.BUCKET, {
      before: async (operation) => {
        if (!isNarInfoPut(operation)) return;
        numbers.push(numbers.length);
        await store(path.key, signed(...numbers));
      },
    });
    const answer = await cacheWith({ BUCKET: bucket }).put(`/${path.key}`, signed(99));
    expect(expectRefusal(answer, 503)).toMatch(/try again/);
    expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    expect(numbers.length).toBeGreaterThan(3);
    expect(await publishedSignatures()).toEqual(numbers.map(signature));
    expect((await cache.put(`/${path.key}`, signed(99))).status).toBe(200);
    expect(await publishedSignatures()).toEqual([...numbers, 99].map(signature));
  });
});

describe("at once", () => {
  test("eight pushers with eight signatures: all succeed, and none is lost", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const numbers = [1, 2, 3, 4, 5, 6, 7, 8];
    const answers = await Promise.all(numbers.map((number) => cache.put(`/${path.key}`, signed(number))));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 200, 200, 201]);
    expect((await publishedSignatures()).sort()).toEqual(numbers.map(signature));
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

  /** Publishes the library, and while that is being written the path that refers to it: the two answers. */
  async function publishTogether(interfere: () => unknown): Promise<[Answer, Answer]> {
    const references = [path.info.storePath.baseName];
    const referring = await testPath("referring-1.0", "referring", { references });
    for (const { narKey, nar } of [path, referring]) await cache.put(`/${narKey}`, nar);
    let second: Promise<Answer> | undefined;
    const first = await racing(async () => {
      second = cache.put(`/${referring.key}`, referring.text);
      // Time to come as far as it can come; however far that is, the result has to be the same.
      await scheduler.wait(50);
      await interfere();
    }).put(`/${path.key}`, path.text);
    if (second === undefined) throw new Error("the first was not written");
    return [first, await second];
  }

  test("a path and one that refers to it: that waits for its reference", async () => {
    const answers = await publishTogether(() => undefined);
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  });

  test("a path that cannot be written and one that refers to it: that is refused, too", async () => {
    const [first, second] = await publishTogether(() => {
      throw r2Error("put", "We encountered an internal error. Please try again.", 10001);
    });
    expectRefusal(first, 503);
    expect(expectRefusal(second, 409)).toContain(path.info.storePath.baseName);
    expect(Object.keys(await contents()).filter((key) => key.endsWith(".narinfo"))).toEqual([]);
  });
});

describe("R2 refuses the second write within a second (429, code 10058): it is waited out", () => {
  const SECOND_MS = 1000;

  /** A cache of which R2 refuses the first so many writes of the narinfo, because another tool has just done this. */
  function refused(times: number, action: () => unknown) {
    let count = 0;
    const { bucket } = watch(env.BUCKET, {
      before: async (operation) => {
        if (!isNarInfoPut(operation) || count++ >= times) return;
        await action();
        throw r2Error("put", "Reduce your concurrent request rate for the same object.", 10058);
      },
    });
    return cacheWith({ BUCKET: bucket });
  }

  test("written a second later", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const late = refused(2, () => undefined);
    expect((await late.put(`/${path.key}`, path.text)).status).toBe(201);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
    expect(late.catalog.waits).toHaveLength(2);
    for (const wait of late.catalog.waits) expect(wait).toBeGreaterThanOrEqual(SECOND_MS);
  });

  test("the other has written the same", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const late = refused(1, () => store(path.key, path.text));
    expect((await late.put(`/${path.key}`, path.text)).status).toBe(200);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });

  test("the other has written another signature: both are there", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const late = refused(1, () => store(path.key, signed(1)));
    expect((await late.put(`/${path.key}`, signed(2))).status).toBe(200);
    expect(await publishedSignatures()).toEqual([signature(1), signature(2)]);
  });

  test("again and again: the client is told to try again, and then it is there", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const late = refused(Number.POSITIVE_INFINITY, () => undefined);
    const answer = await late.put(`/${path.key}`, signed(2));
    expectRefusal(answer, 503);
    expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    // Not for longer than a client waits.
    expect(late.catalog.waits.reduce((sum, wait) => sum + wait, 0)).toBeLessThan(30 * SECOND_MS);
    expectRefusal(await cache.get(`/${path.key}`), 404);
    expect((await cache.put(`/${path.key}`, signed(2))).status).toBe(201);
    expect(await publishedSignatures()).toEqual([signature(2)]);
  });
});
