// What the running cache tells of itself: GET /api/v1/cache.
import { get as getByHttp } from "node:http";
import { get as getByHttps } from "node:https";
import { json } from "node:stream/consumers";
import { type Address, urlOf } from "./instructions.ts";

const TIMEOUT_MS = 10_000;

export interface Description {
  /** The keys that a client trusts, `name:base64`. */
  readonly publicKeys: readonly string[];
  /** URLs. */
  readonly upstreams: readonly string[];
  /** Whether reading needs a token. */
  readonly isPrivate: boolean;
}

/** `token` is for a private cache. Throws where the cache does not answer or refuses. */
export async function descriptionOf(address: Address, token: string | undefined): Promise<Description> {
  const body = (await ask(`${urlOf(address)}/api/v1/cache`, token)) as {
    readonly public_keys?: unknown;
    readonly upstreams?: unknown;
    readonly visibility?: unknown;
  } | null;
  return {
    publicKeys: listOf(body?.public_keys).map(String),
    upstreams: listOf(body?.upstreams).map((each) => String((each as { url?: unknown } | null)?.url)),
    isPrivate: body?.visibility === "private",
  };
}

function ask(url: string, token: string | undefined): Promise<unknown> {
  const options = {
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    // wrangler's certificate is self-signed, and the server is on this machine.
    rejectUnauthorized: false,
  };
  return new Promise((done, fail) => {
    const get = url.startsWith("https:") ? getByHttps : getByHttp;
    get(url, options, (response) => {
      if (response.statusCode === 200) json(response).then(done, fail);
      else {
        response.resume();
        fail(new Error(`${url} answered ${response.statusCode}`));
      }
    }).on("error", fail);
  });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
