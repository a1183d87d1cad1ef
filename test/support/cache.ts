/** A cache under test: the Worker as it is, over the runtime's own R2, with the variables of a test. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { NOTHING_SPENT } from "../../src/catalog/meter.ts";
import type { Env } from "../../src/env.ts";
import { handle } from "../../src/index.ts";
import { type CatalogLog, catalogWith } from "./catalog-namespace.ts";

export const ORIGIN = "https://cache.example.org";
export const PUSH_TOKEN = "push-token-for-tests";
export const PULL_TOKEN = "pull-token-for-tests";
export const ADMIN_TOKEN = "admin-token-for-tests";

export type Body = string | Uint8Array<ArrayBuffer>;
export type HeaderList = Readonly<Record<string, string>>;

/** A response that has been read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** As they came: nothing is decoded. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly text: string;
}

export interface TestCache {
  /** Sends exactly this. */
  readonly fetch: (path: string, init?: RequestInit) => Promise<Answer>;
  readonly get: (path: string, headers?: HeaderList) => Promise<Answer>;
  readonly head: (path: string, headers?: HeaderList) => Promise<Answer>;
  /** As a client with the push token does: with a length. `headers` may say otherwise. */
  readonly put: (path: string, body: Body, headers?: HeaderList) => Promise<Answer>;
  /** The calls to its catalog and their effects. */
  readonly catalog: Readonly<CatalogLog>;
  /** Its bindings and variables. */
  readonly environment: Env;
}

/** Variables of a cache that accepts a path before its references. */
export const OPEN: Partial<Env> = { CACHES: { "nix-cache": { open: true } } };

/** A cache with these variables, and a PUSH_TOKEN unless they say otherwise. */
export function cacheWith(variables: Partial<Env> = {}): TestCache {
  const catalog: CatalogLog = { calls: [], waits: [], purged: [], spent: NOTHING_SPENT };
  // One environment for all requests, as in production: the configuration is parsed once.
  const environment: Env = {
    BUCKET: env.BUCKET,
    CATALOG: catalogWith(() => environment, catalog),
    PUSH_TOKEN,
    // Tests that are not about upstreams ask none.
    UPSTREAMS: [],
    ...variables,
  };
  const send = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const context = createExecutionContext();
    const answer = await read(await handle(new Request(`${ORIGIN}${path}`, init), environment, context));
    await waitOnExecutionContext(context);
    return answer;
  };
  return {
    catalog,
    environment,
    fetch: send,
    get: (path, headers = {}) => send(path, { headers }),
    head: (path, headers = {}) => send(path, { method: "HEAD", headers }),
    put: (path, body, headers = {}) =>
      send(path, {
        method: "PUT",
        body,
        headers: {
          "Content-Length": `${typeof body === "string" ? new TextEncoder().encode(body).length : body.length}`,
          Authorization: `Bearer ${PUSH_TOKEN}`,
          ...headers,
        },
      }),
  };
}

export async function read(response: Response): Promise<Answer> {
  const { status, headers } = response;
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { status, headers, bytes, text: new TextDecoder().decode(bytes) };
}

/** `login:password` as netrc makes a client send it. */
export function basic(login: string, password: string): string {
  return `Basic ${new TextEncoder().encode(`${login}:${password}`).toBase64()}`;
}

/** Puts an object into the bucket past the Worker, as other tools and older versions do. */
export async function store(key: string, body: Body, httpMetadata: R2HTTPMetadata = {}): Promise<R2Object> {
  const object: R2Object | null = await env.BUCKET.put(key, body, { httpMetadata });
  if (object === null) throw new Error(`${key} was not stored`);
  return object;
}

/** Indexes the objects that `store` has put into the bucket. */
export async function reindex(): Promise<void> {
  const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  const answer = await cacheWith({ ADMIN_TOKEN }).fetch("/api/v1/reindex", { method: "POST", headers });
  const { done } = JSON.parse(answer.text) as { done?: boolean };
  if (done !== true) throw new Error(`a small bucket is indexed in one step: ${answer.text}`);
}

/** Everything that is in the bucket: keys and the text of each object. */
export async function contents(): Promise<Record<string, string>> {
  const { objects } = await env.BUCKET.list();
  const texts = objects.map(async ({ key }) => [key, (await (await env.BUCKET.get(key))?.text()) ?? ""]);
  return Object.fromEntries(await Promise.all(texts));
}

/** Keys of the bucket, sorted. */
export async function keys(): Promise<string[]> {
  return (await env.BUCKET.list()).objects.map(({ key }) => key).sort();
}
