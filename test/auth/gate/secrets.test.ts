/** No token and no key is ever in a log, an answer, an object of the bucket or a row of a catalog. */
// @module-tag slow
import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import type { Catalog } from "../../../src/catalog/catalog.ts";
import { generateSecretKey } from "../../../src/nix/keys.ts";
import { breakCatalog } from "../../api/api.ts";
import { type Answer, cacheWith, PULL_TOKEN, type TestCache } from "../../support/cache.ts";
import { createIssuer, type TestIssuer } from "../../support/oidc-issuer.ts";
import { testPath } from "../../support/store-paths.ts";
import { presigned } from "../sigv4/signer.ts";
import { type Credential, credentials, FORMS, headersFor, TOKEN_SECRET, variablesFor } from "../wallet.ts";
import { examples } from "./table.ts";

const KEY = await generateSecretKey("cache-1");
const CONSOLE = ["debug", "error", "info", "log", "trace", "warn"] as const;
const CACHES = { team: {}, secret: { visibility: "private" } };

let log: string[];
let issuer: TestIssuer;
let cache: TestCache;

beforeEach(async () => {
  log = [];
  for (const method of CONSOLE) {
    vi.spyOn(console, method).mockImplementation(
      (...values: unknown[]) => void log.push(...values.map(shown)),
    );
  }
  issuer = await createIssuer(inject("oidcServer"));
  cache = cacheWith({ ...variablesFor(issuer), PULL_TOKEN, CACHES, SIGNING_KEY: KEY.secret });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

/** All that a log could show of a value. */
function shown(value: unknown): string {
  const error = value instanceof Error ? `${value.stack} ${shown(value.cause)}` : "";
  return `${String(value)} ${error} ${JSON.stringify(value)}`;
}

/** What gives a credential away: itself, and what of it would be enough. */
function secretsOf({ token = "" }: Credential): string[] {
  // The password of the wrong credentials: any answer may have this word.
  if (token === "" || token === "wrong") return [];
  const [, , signature] = token.split(".");
  return [token, signature ?? token, new TextEncoder().encode(`any:${token}`).toBase64()];
}

async function rowsOfAll(): Promise<string> {
  const names = ["nix-cache", "team", "secret", "nothing"];
  const texts = names.map((name) =>
    runInDurableObject(env.CATALOG.getByName(name), ({ context: { sql } }: Catalog) => {
      const tables = sql
        .exec<{ name: string }>(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
        )
        .toArray();
      return JSON.stringify(
        tables.map((table) => [table.name, sql.exec(`SELECT * FROM ${table.name}`).toArray()]),
      );
    }),
  );
  return (await Promise.all(texts)).join("\n");
}

async function bucketText(): Promise<string> {
  const { objects } = await env.BUCKET.list({ include: ["customMetadata", "httpMetadata"] });
  const texts = objects.map(async ({ key, customMetadata, httpMetadata }) => {
    const text = await (await env.BUCKET.get(key))?.text();
    return JSON.stringify({ key, customMetadata, httpMetadata, text });
  });
  return (await Promise.all(texts)).join("\n");
}

function textOf({ text, headers }: Answer): string {
  return `${JSON.stringify([...headers])} ${text}`;
}

/** Every route, by every credential in every form, at three caches: all of the answers. */
async function askEverything(wallet: readonly Credential[]): Promise<string[]> {
  const answers: string[] = [];
  const path = await testPath();
  const bodies: Record<string, string | Uint8Array<ArrayBuffer>> = {
    [`/${path.narKey}`]: path.nar,
    [`/${path.key}`]: path.text,
    "/api/v1/tokens": "{",
    "/api/v1/tokens/exchange": '{"expires_in": 1}',
    "/api/v1/missing": '{"paths": []}',
    "/api/v1/gc": "{}",
  };
  const targets = [
    ...examples().flatMap(({ methods, path }) => methods.map((method) => [method, path] as const)),
    ["PUT", `/${path.narKey}`] as const,
    ["PUT", `/${path.key}`] as const,
    ["GET", `/${path.key}`] as const,
    ["PATCH", "/nowhere"] as const,
  ];
  for (const credential of wallet) {
    for (const form of FORMS) {
      for (const prefix of form === "Bearer" ? ["", "/team", "/secret"] : [""]) {
        for (const [method, path] of targets) {
          const url = `${prefix}${path}`;
          const body = method === "PUT" || method === "POST" ? (bodies[path] ?? "x") : undefined;
          const length = body === undefined ? {} : { "Content-Length": `${body.length}` };
          const headers = { ...length, ...headersFor(credential, form, method, url) };
          const answer = await cache.fetch(url, { method, headers, ...(body !== undefined && { body }) });
          answers.push(textOf(answer));
        }
      }
    }
  }
  return answers;
}

/** By a signed URL, right and too late, which has the session token in it. */
async function askBySignedUrls(wallet: readonly Credential[]): Promise<string[]> {
  const answers: string[] = [];
  for (const { token = "", accessKey } of wallet) {
    if (token === "") continue;
    for (const time of [Date.now(), 0]) {
      const session = accessKey === undefined ? { sessionToken: token } : { accessKey };
      const unsigned = { method: "GET", host: "cache.example.org", path: "/nix-cache-info" };
      const { url } = presigned(unsigned, { time, secret: token, expires: 60, ...session });
      answers.push(textOf(await cache.fetch(url.slice(url.indexOf("/", 8)))));
    }
  }
  return answers;
}

function expectNone(secrets: readonly string[], places: Readonly<Record<string, string>>): void {
  const found = Object.entries(places).flatMap(([place, text]) =>
    secrets.filter((secret) => text.includes(secret)).map((secret) => `${place}: ${secret}`),
  );
  expect(found).toEqual([]);
}

test("whatever is asked, with whatever credential", { timeout: 120_000 }, async () => {
  const wallet = await credentials(issuer, cache);
  const secrets = [...wallet.flatMap(secretsOf), TOKEN_SECRET, KEY.secret, KEY.secret.split(":")[1] ?? ""];
  const answers = [...(await askEverything(wallet)), ...(await askBySignedUrls(wallet))];
  // It was no empty exercise: things were pushed, refused and logged.
  const bucket = await bucketText();
  const rows = await rowsOfAll();
  expect(bucket).toContain("Sig: cache-1:");
  expect(rows).toContain("PUSH_TOKEN");
  expect(log.join()).toContain("OIDC token refused");
  expectNone(secrets, { answers: answers.join("\n"), log: log.join("\n"), bucket, rows });
  // Nor with a catalog that fails.
  await breakCatalog();
  log.length = 0;
  const failing = await askEverything(wallet.filter(({ name }) => /TOKEN|on \*|^OIDC$/.test(name)));
  expect(log.join()).toContain("the catalog did not answer");
  expectNone(secrets, { answers: failing.join("\n"), log: log.join("\n") });
});

test("a minted token is in the answer that mints it, and nowhere else", async () => {
  const wallet = await credentials(issuer, cache);
  const by = (name: string) => wallet.find((each) => each.name === name)?.token ?? "";
  const post = async (path: string, token: string, body: unknown) => {
    const headers = { Authorization: `Bearer ${token}` };
    const init = { method: "POST", headers, body: JSON.stringify(body) };
    return JSON.parse((await cache.fetch(path, init)).text) as { id: string; token: string };
  };
  const asked = { name: "ci", permissions: ["admin"], caches: ["*"], expires_in: 3600 };
  const minted = await post("/api/v1/tokens", by("ADMIN_TOKEN"), asked);
  const exchanged = await post("/api/v1/tokens/exchange", by("OIDC"), {});
  const tokens = [minted, exchanged].map(({ token }): Credential => ({ name: "new", token, worth: {} }));
  const answers = await askEverything(tokens);
  for (const path of ["", `/${minted.id}`, `/${exchanged.id}`]) {
    const headers = { Authorization: `Bearer ${by("ADMIN_TOKEN")}` };
    answers.push(textOf(await cache.fetch(`/api/v1/tokens${path}`, { headers })));
  }
  const rows = await rowsOfAll();
  expect(rows).toContain(minted.id);
  expectNone(tokens.flatMap(secretsOf), {
    answers: answers.join("\n"),
    log: log.join("\n"),
    bucket: await bucketText(),
    rows,
  });
});
