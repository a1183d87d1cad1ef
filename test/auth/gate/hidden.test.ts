/** A private named cache tells strangers nothing: not what is in it, nor that it is there. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { watch } from "../../support/bucket.ts";
import { type Answer, cacheWith, PULL_TOKEN, type TestCache } from "../../support/cache.ts";
import { captureLog } from "../../support/log.ts";
import { createIssuer } from "../../support/oidc-issuer.ts";
import { push, testPath } from "../../support/store-paths.ts";
import { elementOf } from "../../support/upload.ts";
import {
  type Credential,
  credentials,
  FORMS,
  headersFor,
  minted,
  TOKEN_SECRET,
  variablesFor,
} from "../wallet.ts";
import { examples } from "./table.ts";

captureLog();
afterAll(reset);

const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"];
const watched = watch(env.BUCKET);
let cache: TestCache;
let strangers: readonly Credential[];
/** A path that is in the private cache, and one that is not. */
let stored: readonly string[];

beforeAll(async () => {
  const issuer = await createIssuer(inject("oidcServer"));
  const { OIDC = [], ...rest } = variablesFor(issuer);
  cache = cacheWith({
    ...rest,
    // Of a default cache: the tokens are for another one.
    OIDC: (OIDC as Record<string, unknown>[]).map((rule) => ({ ...rule, caches: ["nix-cache"] })),
    PULL_TOKEN,
    CACHES: { team: {}, secret: { visibility: "private" }, secrets: { visibility: "private" } },
    BUCKET: watched.bucket,
  });
  strangers = (await credentials(issuer, cache))
    .map((each): Credential => (each.name === "OIDC" ? { ...each, worth: { "nix-cache": "push" } } : each))
    .filter(({ worth }) => typeof worth === "string" || !("*" in worth || "secret" in worth));
  const path = await testPath("in-secret");
  const Authorization = `Bearer ${await minted("push", "secret")}`;
  await cache.put(`/secret/${path.narKey}`, path.nar, { Authorization });
  expect((await cache.put(`/secret/${path.key}`, path.text, { Authorization })).status).toBe(201);
  stored = [`/${path.key}`, `/${path.narKey}`, `/api/v1/paths/${path.info.storePath.hash}`];
});

/** All of an answer, and what it has cost. */
async function answerTo(method: string, path: string, headers: Readonly<Record<string, string>>) {
  const operations = watched.operations.length;
  const calls = cache.catalog.calls.length;
  const answer = await cache.fetch(path, { method, headers });
  return {
    answer: whole(answer),
    operations: watched.operations.slice(operations),
    // Of the default cache's catalog, whether the token is revoked: the same for every name.
    calls: cache.catalog.calls.slice(calls).filter((call) => call !== "revokedTokens"),
    checks: cache.catalog.calls.slice(calls).length,
  };
}

function whole({ status, headers, text }: Answer) {
  // Of a path that cannot be read S3's refusal repeats what was sent.
  return {
    status,
    headers: [...headers],
    text: text.replace(/<Resource>\/(secret|nothing)\//, "<Resource>/"),
  };
}

describe("to a stranger a cache that is there and one that is not are the same", () => {
  test("every stranger is here", () => {
    expect(strangers.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["none", "wrong", "PUSH_TOKEN", "OIDC", "minted: admin on team"]),
    );
  });

  test.each(FORMS)("by %s: every route, every method, every credential", async (form) => {
    const paths = [
      "",
      "/",
      "/nowhere",
      "/api/v1/nowhere",
      "/nar/%",
      "//x",
      ...examples().map(({ path }) => path),
    ];
    for (const credential of strangers) {
      for (const path of new Set([...paths, ...stored])) {
        for (const method of METHODS) {
          const request = (name: string) => {
            const url = `/${name}${path}`;
            return answerTo(method, url, headersFor(credential, form, method, url));
          };
          const there = await request("secret");
          const absent = await request("nothing");
          const label = `${method} ${path} with ${credential.name}`;
          expect([label, there]).toEqual([label, absent]);
          expect([label, there.operations, there.calls]).toEqual([label, [], []]);
          expect([label, there.answer.status >= 400]).toEqual([label, true]);
        }
      }
    }
  });
});

test("everything of a private cache is private, no-store, for its readers, too", async () => {
  const Authorization = `Bearer ${await minted("admin", "secret")}`;
  for (const { methods, path } of examples()) {
    for (const method of methods) {
      const { headers } = await cache.fetch(`/secret${path}`, { method, headers: { Authorization } });
      expect([method, path, headers.get("Cache-Control")]).toEqual([method, path, "private, no-store"]);
    }
  }
});

describe("the default cache's listing", () => {
  /** The document, and how often the bucket was asked. */
  const list = async (query: string) => {
    const { bucket, operations } = watch(env.BUCKET);
    const open = cacheWith({
      CACHES: { secret: { visibility: "private" } },
      LISTING: "public",
      BUCKET: bucket,
    });
    const { text } = await open.get(`/?list-type=2&${query}`);
    return `${text} at the cost of ${operations.length}`;
  };

  test.each([
    "max-keys=1&prefix=PREFIX",
    "max-keys=1&prefix=PREFIX/",
    "max-keys=1&prefix=PREFIX/nar/",
    "max-keys=1&delimiter=/&prefix=PREFIX",
    "max-keys=1&delimiter=/&prefix=PREFIX/",
    "max-keys=1&start-after=PREFIX",
    "max-keys=1&start-after=PREFIX/",
  ])("does not tell of a folder of another cache: %s", async (query) => {
    const [there, absent] = [
      await list(query.replace("PREFIX", "sec")),
      await list(query.replace("PREFIX", "sed")),
    ];
    expect(there.replaceAll("sec", "sed")).toBe(absent);
    expect(elementOf(there, "IsTruncated")).toBe("false");
    expect((await list(query.replace("PREFIX", "secret"))).replaceAll("secret", "nothin")).toBe(
      await list(query.replace("PREFIX", "nothin")),
    );
  });

  test("of everything, page by page, has no empty page and no marker of it", async () => {
    const open = cacheWith({ CACHES: { secret: { visibility: "private" } } });
    const paths = [await testPath("one"), await testPath("two"), await testPath("three")];
    for (const path of paths) await push(open, path);
    let next = "";
    const found: string[] = [];
    for (let page = 0; page < 20; page++) {
      const text = await list(`max-keys=1${next && `&continuation-token=${encodeURIComponent(next)}`}`);
      const key = elementOf(text, "Key");
      expect(key).toBeDefined();
      found.push(key ?? "");
      next = elementOf(text, "NextContinuationToken") ?? "";
      if (next === "") break;
    }
    expect(found).toEqual(paths.flatMap(({ key, narKey }) => [key, narKey]).sort());
  });
});

test("no error and no health names a private cache", async () => {
  const broken = cacheWith({
    TOKEN_SECRET,
    CACHES: { secret: { visibility: "private", signing_keys: ["gone-1"], nonsense: 1 }, team: {} },
  });
  const path = await testPath();
  const admin = { Authorization: `Bearer ${await minted("admin", "nix-cache")}` };
  const answers = [
    await broken.get("/health"),
    await push(broken, path),
    await broken.fetch("/api/v1/gc", { method: "POST", headers: admin, body: "{}" }),
    await broken.put("/nix-cache-info", ""),
    await broken.get("/team/health"),
  ];
  for (const { text } of answers) expect(text).not.toMatch(/secret|gone-1|nonsense/);
  expect(answers[0]?.text).toContain("CACHES: has a mistake; the log of the Worker names it");
  expect(answers[1]?.text).toContain("CACHES: has a mistake; the log of the Worker names it");
});
