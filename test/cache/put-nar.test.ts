/** Uploading a NAR: visible only when it is whole and its name is its SHA-256. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { meanwhile, r2Error, watch } from "../support/bucket.ts";
import {
  type Body,
  cacheWith,
  contents,
  type HeaderList,
  keys,
  PUSH_TOKEN,
  store,
} from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { NAR_HASH } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";
import { bytesOf, narKeyOf, sha256 } from "../support/store-paths.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
const NAR = bytesOf("nix-archive-1 and so on");
const KEY = await narKeyOf(NAR);
const BEARER = { Authorization: `Bearer ${PUSH_TOKEN}` };

async function recordedSha256(key: string): Promise<string | undefined> {
  return (await env.BUCKET.head(key))?.checksums.toJSON().sha256;
}

describe("a NAR that is what its name says", () => {
  test.each(["", ".xz", ".bz2", ".zst", ".lzip", ".lz4", ".br"])("named .nar%s", async (ending) => {
    const key = await narKeyOf(NAR, `.nar${ending}`);
    expect(await cache.put(`/${key}`, NAR)).toMatchObject({ status: 201, text: `stored ${key}\n` });
    const answer = await cache.get(`/${key}`);
    expect([answer.status, answer.bytes]).toEqual([200, NAR]);
    expect(await recordedSha256(key)).toBe((await sha256(NAR)).bytes.toHex());
  });

  test.each([
    ["of no bytes", new Uint8Array(0)],
    ["of one byte", new Uint8Array(1)],
    ["of some megabytes", new Uint8Array(5 * 1024 * 1024).map((_, index) => index * 7)],
  ])("%s", async (_, nar) => {
    const key = await narKeyOf(nar);
    expect((await cache.put(`/${key}`, nar)).status).toBe(201);
    expect((await cache.get(`/${key}`)).bytes).toEqual(nar);
  });

  test("sent again is a success that stores nothing", async () => {
    await cache.put(`/${KEY}`, NAR);
    const before = await env.BUCKET.head(KEY);
    const watched = watch(env.BUCKET);
    const again = await cacheWith({ BUCKET: watched.bucket }).put(`/${KEY}`, NAR);
    expect(again).toMatchObject({ status: 200, text: `${KEY} is already here\n` });
    expect(watched.billed()).toEqual({ A: 0, B: 1 });
    expect((await env.BUCKET.head(KEY))?.version).toBe(before?.version);
  });

  test("is there once, sent again with a body that is something else", async () => {
    await cache.put(`/${KEY}`, NAR);
    expect((await cache.put(`/${KEY}`, "nonsense")).status).toBe(200);
    expect((await cache.get(`/${KEY}`)).bytes).toEqual(NAR);
  });

  test.each<[string, Body]>([
    ["the same bytes", NAR],
    ["other bytes", "half of it"],
    ["no bytes", ""],
  ])("replaces what another tool has put there without a checksum: %s", async (_, present) => {
    await store(KEY, present);
    expect((await cache.put(`/${KEY}`, NAR)).status).toBe(201);
    expect((await cache.get(`/${KEY}`)).bytes).toEqual(NAR);
    expect(await recordedSha256(KEY)).toBe((await sha256(NAR)).bytes.toHex());
  });

  test("replaces an object whose checksum is not the one of its name", async () => {
    await env.BUCKET.put(KEY, "other", { sha256: (await sha256(bytesOf("other"))).bytes });
    expect((await cache.put(`/${KEY}`, NAR)).status).toBe(201);
    expect((await cache.get(`/${KEY}`)).bytes).toEqual(NAR);
  });
});

describe("what is refused leaves nothing behind", () => {
  test.each<[string, Body, HeaderList, number, RegExp]>([
    ["another content", "something else", {}, 400, /SHA-256/],
    ["one byte changed", NAR.map((byte, index) => (index === 3 ? byte ^ 1 : byte)), {}, 400, /SHA-256/],
    ["a body cut short", NAR.slice(0, -1), {}, 400, /SHA-256/],
    [
      "a body cut short, with the length of the whole",
      NAR.slice(0, -1),
      { "Content-Length": "23" },
      400,
      /again/,
    ],
    [
      "no body, with the length of the whole (Nix before 2.33.2)",
      "",
      { "Content-Length": "23" },
      400,
      /again/,
    ],
    ["a byte too many", new Uint8Array([...NAR, 0]), {}, 400, /SHA-256/],
    ["the archive twice", new Uint8Array([...NAR, ...NAR]), {}, 400, /SHA-256/],
    ["a length that is none", NAR, { "Content-Length": "many" }, 400, /Content-Length/],
    ["a length above R2's limit", NAR, { "Content-Length": "5368709120" }, 413, /5 GiB/],
    ["a Content-Encoding", NAR, { "Content-Encoding": "gzip" }, 415, /Content-Encoding/],
    ["even identity", NAR, { "Content-Encoding": "identity" }, 415, /Content-Encoding/],
  ])("%s", async (_, body, headers, status, message) => {
    const line = expectRefusal(await cache.put(`/${KEY}`, body, headers), status);
    expect(line).toMatch(message);
    expect(await keys()).toEqual([]);
    expectRefusal(await cache.get(`/${KEY}`), 404);
  });

  test("a body without a length", async () => {
    const body = new Blob([NAR]).stream();
    const answer = await cache.fetch(`/${KEY}`, { method: "PUT", body, headers: BEARER });
    expect(expectRefusal(answer, 411)).toMatch(/Content-Length/);
    expect(await keys()).toEqual([]);
  });

  test("a failed upload of what is there in another form keeps that", async () => {
    await store(KEY, NAR);
    expectRefusal(await cache.put(`/${KEY}`, "nonsense"), 400);
    expect((await cache.get(`/${KEY}`)).bytes).toEqual(NAR);
  });
});

describe("a name that is no NAR's", () => {
  test.each([
    "nar/x",
    "nar/demo-1.0.nar",
    `nar/${NAR_HASH}`,
    `nar/${NAR_HASH}.nar.gz`,
    `nar/${NAR_HASH}.nar.xz.xz`,
    `nar/${NAR_HASH}.NAR`,
    `nar/${NAR_HASH}.nar.`,
    `nar/${NAR_HASH}.nar.exe`,
    `nar/${NAR_HASH.slice(1)}.nar`,
    `nar/0${NAR_HASH}.nar`,
    `nar/${NAR_HASH.toUpperCase()}.nar`,
    `nar/e${NAR_HASH.slice(1)}.nar`,
    // 52 digits hold 260 bits: this one is above 256.
    `nar/z${NAR_HASH.slice(1)}.nar`,
    `nar/${NAR_HASH}-${NAR_HASH}.nar`,
    `nar/sub/${NAR_HASH}.nar`,
    `nar/${"0".repeat(64)}.nar`,
  ])("%s", async (key) => {
    const watched = watch(env.BUCKET);
    const watchedCache = cacheWith({ BUCKET: watched.bucket });
    const answer = await watchedCache.put(`/${key}`, NAR);
    expect(expectRefusal(answer, 400)).toMatch(/a NAR is named nar\/<52 characters/);
    expect([watched.operations, watchedCache.catalog.calls]).toEqual([[], []]);
  });
});

describe("two at once", () => {
  test("of the same NAR end in one whole object and two successes", async () => {
    const nar = new Uint8Array(1024 * 1024).fill(7);
    const key = await narKeyOf(nar);
    const answers = await Promise.all([1, 2, 3].map(() => cache.put(`/${key}`, nar)));
    for (const { status } of answers) expect([200, 201]).toContain(status);
    expect((await cache.get(`/${key}`)).bytes).toEqual(nar);
  });

  test("a damaged one beside a whole one changes nothing for that", async () => {
    const [good, bad] = await Promise.all([cache.put(`/${KEY}`, NAR), cache.put(`/${KEY}`, "nonsense")]);
    expect(good.status).toBeLessThan(300);
    // It comes late enough to find the good one, or it is refused.
    expect([200, 400]).toContain(bad.status);
    expect(await contents()).toEqual({ [KEY]: new TextDecoder().decode(NAR) });
  });

  test("the one that R2 refuses (one write a second to a key) succeeds if the other has stored it", async () => {
    let isRefused = false;
    const race = watch(env.BUCKET, {
      before: async ({ name }) => {
        if (name !== "put" || isRefused) return;
        isRefused = true;
        await cache.put(`/${KEY}`, NAR);
        throw r2Error("put", "Reduce your concurrent request rate for the same object.", 10058);
      },
    });
    expect(await cacheWith({ BUCKET: race.bucket }).put(`/${KEY}`, NAR)).toMatchObject({
      status: 200,
      text: `${KEY} is already here\n`,
    });
  });

  test("the one that R2 refuses is told to try again if nothing is there", async () => {
    const refusing = watch(env.BUCKET, {
      before: ({ name }) => {
        if (name === "put") throw r2Error("put", "Reduce your concurrent request rate.", 10058);
      },
    });
    const answer = await cacheWith({ BUCKET: refusing.bucket }).put(`/${KEY}`, NAR);
    expectRefusal(answer, 503);
    expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    expect(await keys()).toEqual([]);
  });

  test("a NAR that comes between the look and the write is not harmed", async () => {
    const late = watch(
      env.BUCKET,
      meanwhile(
        ({ name }) => name === "put",
        () => cache.put(`/${KEY}`, NAR),
      ),
    );
    expectRefusal(await cacheWith({ BUCKET: late.bucket }).put(`/${KEY}`, "nonsense"), 400);
    expect((await cache.get(`/${KEY}`)).bytes).toEqual(NAR);
  });
});
