/** A pusher's question for a path that is not here, over real HTTP: answered with the narinfo of an upstream. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { parseNarInfo } from "../../src/nix/narinfo.ts";
import { cacheWith, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { push, testPath } from "../support/store-paths.ts";
import { base64, createUpstream, type TestUpstream } from "../support/upstream.ts";
import type { Answer } from "../support/upstream-server.ts";

captureLog();
afterEach(() => reset());

const AS_PUSHER = { Authorization: `Bearer ${PUSH_TOKEN}` };
const library = await testPath("library-1.0");
const other = await testPath("other-1.0");

const cacheOver = (...upstreams: readonly TestUpstream[]): TestCache =>
  cacheWith({ UPSTREAMS: upstreams.map(({ entry }) => entry) });

describe("a path that an upstream has", () => {
  test("is answered to a pusher with its narinfo, its URL absolute, its signature alone", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = cacheWith({ UPSTREAMS: [upstream.entry], SIGNING_KEY: "" });
    const { status, headers, text } = await cache.get(`/${library.key}`, AS_PUSHER);
    expect(status).toBe(200);
    expect(text).toBe(
      await upstream.textOf(library, { url: `${upstream.url}/${library.narKey}` }).then(unsignedAs(text)),
    );
    expect(headers.get("Cache-Control")).toBe("private, no-store");
    expect(headers.get("Content-Type")).toBe("text/x-nix-narinfo");
    expect(headers.get("Nix-Cache-Upstream")).toBe(upstream.url);
    const head = await cache.head(`/${library.key}`, AS_PUSHER);
    expect([head.status, head.text, head.headers.get("Content-Length")]).toEqual([200, "", `${text.length}`]);
  });

  test("is no news to readers and anonymous clients: no question is sent", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = cacheWith({ UPSTREAMS: [upstream.entry], PULL_TOKEN: "pull" });
    for (const headers of [{}, { Authorization: "Bearer pull" }, { Authorization: "Bearer wrong" }]) {
      expect((await cache.get(`/${library.key}`, headers)).status).not.toBe(200);
    }
    expect((await cacheOver(upstream).get(`/${library.key}`)).status).toBe(404);
    expect((await cacheOver(upstream).get(`/${library.key}`, { Authorization: "Bearer x" })).status).toBe(
      404,
    );
    expect(await upstream.requests()).toEqual([]);
  });

  test("costs no question where it is here", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = cacheOver(upstream);
    await push(cache, library);
    const { text, headers } = await cache.get(`/${library.key}`, AS_PUSHER);
    expect([text, headers.get("Nix-Cache-Upstream")]).toEqual([library.text, null]);
    expect(await upstream.requests()).toEqual([]);
  });

  test("is asked for without a credential, once a day", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const cache = cacheOver(upstream);
    const answers = [];
    for (let n = 0; n < 3; n++) answers.push((await cache.get(`/${library.key}`, AS_PUSHER)).status);
    expect(answers).toEqual([200, 200, 200]);
    const requests = await upstream.requests();
    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([`GET /${library.key}`]);
    expect(JSON.stringify(requests)).not.toContain(PUSH_TOKEN);
    expect(Object.keys(requests[0]?.headers ?? {})).not.toContain("authorization");
    expect(Object.keys(requests[0]?.headers ?? {})).not.toContain("cookie");
  });

  test("is what the pusher has just built until an upstream has it: no answer is kept", async () => {
    const upstream = await createUpstream();
    const cache = cacheOver(upstream);
    expect((await cache.get(`/${library.key}`, AS_PUSHER)).status).toBe(404);
    await upstream.has([library]);
    expect((await cache.get(`/${library.key}`, AS_PUSHER)).status).toBe(200);
  });

  test("is taken from the first upstream that has it", async () => {
    const [first, second] = await Promise.all([createUpstream(), createUpstream()]);
    await second.has([library]);
    const { headers } = await cacheOver(first, second).get(`/${library.key}`, AS_PUSHER);
    expect(headers.get("Nix-Cache-Upstream")).toBe(second.url);
  });

  test("is not looked for by a cache that is asked by another one", async () => {
    const upstream = await createUpstream();
    await upstream.has([library]);
    const asked = { ...AS_PUSHER, "Nix-Cache-Question": "1" };
    expect((await cacheOver(upstream).get(`/${library.key}`, asked)).status).toBe(404);
    expect(await upstream.requests()).toEqual([]);
  });

  test("is read where its answer is compressed", async () => {
    const upstream = await createUpstream();
    const body = new Blob([await upstream.textOf(library)]).stream();
    const zipped = await new Response(body.pipeThrough(new CompressionStream("gzip"))).bytes();
    const answer = { body: zipped.toBase64(), headers: { "Content-Encoding": "gzip" } };
    await upstream.has([], { [`/${library.key}`]: answer });
    expect((await cacheOver(upstream).get(`/${library.key}`, AS_PUSHER)).status).toBe(200);
  });

  test("keeps an absolute URL that it has", async () => {
    const upstream = await createUpstream();
    const url = "https://files.example.org/some.nar.xz";
    await upstream.has([], {
      [`/${library.key}`]: { body: base64(await upstream.textOf(library, { url })) },
    });
    const { text } = await cacheOver(upstream).get(`/${library.key}`, AS_PUSHER);
    expect(parseNarInfo(text, "/nix/store").url).toBe(url);
  });
});

/** The same text: signatures are of a key of the upstream and of no other. */
function unsignedAs(text: string) {
  return (expected: string) => {
    expect([...text.matchAll(/^Sig: (.*?):/gm)].map(([, name]) => name)).toEqual(["upstream.test-1"]);
    return expected;
  };
}

describe("an upstream that fails does not have the path", () => {
  type Lie = (upstream: TestUpstream) => Promise<Answer> | Answer;
  const narinfo =
    (changes: Parameters<TestUpstream["textOf"]>[1], of = library): Lie =>
    async (upstream) => ({
      body: base64(await upstream.textOf(of, changes)),
    });
  const cases: [string, Lie][] = [
    ["that closes the connection", () => ({ reset: true })],
    [
      "that closes it within the body",
      async (up) => ({ body: base64(await up.textOf(library)), cutAfter: 40 }),
    ],
    ["with an outage", () => ({ status: 503 })],
    ["that is overloaded", () => ({ status: 429 })],
    ["that wants a password", () => ({ status: 401 })],
    ["that redirects", async (up) => ({ status: 302, headers: { Location: `${up.url}/elsewhere` } })],
    ["that hangs", () => ({ delay: 60_000 })],
    ["that hangs within the body", async (up) => ({ body: base64(await up.textOf(library)), pause: 60_000 })],
    ["that sends a page", () => ({ body: base64("<html>") })],
    ["that sends nothing", () => ({})],
    ["that sends no UTF-8", () => ({ body: new Uint8Array([255, 254, 10]).toBase64() })],
    [
      "that sends without end",
      async (up) => ({ body: base64(await up.textOf(library)), padding: 20_000_000 }),
    ],
    ["that sends another path", narinfo({}, other)],
    ["without a signature", narinfo({ signatures: [] })],
    [
      "with a forged signature",
      narinfo({ signatures: [`upstream.test-1:${new Uint8Array(64).toBase64()}`] }),
    ],
    [
      "with the signature of another narinfo",
      async (up) => ({ body: base64((await up.textOf(library)).replace(/^NarSize: .*$/m, "NarSize: 7")) }),
    ],
    [
      "of another store",
      async (up) => ({
        body: base64((await up.textOf(library)).replaceAll("/nix/store", "/other/store")),
      }),
    ],
    ["with half of its answer", async (up) => ({ status: 206, body: base64(await up.textOf(library)) })],
    ["that says that nothing has changed", () => ({ status: 304 })],
    ["that is moved for good", async (up) => ({ status: 301, headers: { Location: `${up.url}/elsewhere` } })],
    [
      "with a CA from which the path does not follow",
      narinfo({ ca: "fixed:r:sha256:0000000000000000000000000000000000000000000000000000" }),
    ],
    [
      "with an encoding that nothing reads",
      async (up) => ({ body: base64(await up.textOf(library)), headers: { "Content-Encoding": "gzip" } }),
    ],
    ["whose NAR is elsewhere by dots", narinfo({ url: "nar/../../x.nar" })],
    ["whose NAR is at an address of another kind", narinfo({ url: "file:///etc/passwd" })],
    ["whose NAR's address holds a password", narinfo({ url: "https://user:pass@files.example.org/x.nar" })],
  ];

  test.each(cases)("%s", async (_, lie) => {
    const upstream = await createUpstream();
    const script = { [`/${library.key}`]: await lie(upstream) };
    await upstream.has([other], {
      ...script,
      "/elsewhere": { body: base64(await upstream.textOf(library)) },
    });
    const cache = cacheOver(upstream);
    const begun = Date.now();
    expect((await cache.get(`/${library.key}`, AS_PUSHER)).status).toBe(404);
    expect(Date.now() - begun).toBeLessThan(3000);
    expect((await upstream.requests()).map(({ path }) => path)).toEqual([`/${library.key}`]);
    // It is pushed, and others are still found.
    expect((await push(cache, library)).status).toBe(201);
    expect((await cache.get(`/${other.key}`, AS_PUSHER)).status).toBe(200);
  });

  test("by the key of another upstream", async () => {
    const [upstream, liar] = [await createUpstream("a-1"), await createUpstream("b-1")];
    await liar.has([], { [`/${library.key}`]: { body: base64(await upstream.textOf(library)) } });
    expect((await cacheOver(upstream, liar).get(`/${library.key}`, AS_PUSHER)).status).toBe(404);
  });

  test.each<[string, Answer, number]>([
    ["hangs", { delay: 60_000 }, 6000],
    ["is down", { reset: true }, 3000],
    ["has an outage", { status: 500 }, 3000],
    ["is slow", { delay: 1200, status: 404 }, 7000],
  ])("and one that %s is soon asked no more", async (_, answer, limit) => {
    const upstream = await createUpstream();
    await upstream.has([], { "*": answer });
    const cache = cacheOver(upstream);
    const begun = Date.now();
    for (let n = 0; n < 50; n++) {
      const path = await testPath(`path-${n}`);
      expect((await cache.get(`/${path.key}`, AS_PUSHER)).status).toBe(404);
    }
    expect(Date.now() - begun).toBeLessThan(limit);
    expect((await upstream.requests()).length).toBeLessThan(6);
  });
});
