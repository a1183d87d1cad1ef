/** The API as a client meets it. Every answer is held against the API's own description on the way. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { OperationObject } from "../../src/api/openapi.ts";
import type { Operation } from "../../src/api/operation.ts";
import { OPERATIONS } from "../../src/api/operations.ts";
import type { Catalog } from "../../src/catalog/catalog.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import type { Env } from "../../src/env.ts";
import type { Problem } from "../../src/http/problem.ts";
import { ADMIN_TOKEN, type Answer, cacheWith, type TestCache } from "../support/cache.ts";
import { describedAs, violations } from "./schema.ts";

export type Method = "GET" | "PUT" | "POST" | "DELETE";

export interface ApiAnswer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface ApiRequest {
  readonly token?: string;
  /** Sent as JSON; a text as it is. */
  readonly body?: unknown;
  /** Of a named cache. */
  readonly cacheName?: string;
}

/** A cache with an administrator. */
export function apiCache(variables: Partial<Env> = {}): TestCache {
  return cacheWith({ ADMIN_TOKEN, ...variables });
}

/** Sends no credential, although the operation is one for members. */
export const ANONYMOUSLY: ApiRequest = { token: "" };

/**
 * Sends a request to `/api/v1...`, as a member what is for members only; fails unless the answer is a documented one.
 */
export async function call<T>(
  cache: TestCache,
  method: Method,
  path: string,
  { token, body, cacheName }: ApiRequest = {},
): Promise<ApiAnswer<T>> {
  const operation = operationOf(method, path);
  const sent = token ?? (operation.permission === "list" ? ADMIN_TOKEN : "");
  const response = await cache.fetch(`${cacheName === undefined ? "" : `/${cacheName}`}/api/v1${path}`, {
    method,
    headers: sent === "" ? {} : { Authorization: `Bearer ${sent}` },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const answer = JSON.parse(response.text) as T;
  expectDocumented(describedAs(operation), response, answer);
  return { status: response.status, headers: response.headers, body: answer };
}

/** A call that must succeed: its answer. */
export async function ask<T>(
  cache: TestCache,
  method: Method,
  path: string,
  request: ApiRequest = {},
): Promise<T> {
  const { status, body } = await call<T>(cache, method, path, request);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body;
}

/** A call that must be refused with `status`: the detail of the problem. */
export async function refusal(
  cache: TestCache,
  method: Method,
  path: string,
  status: number,
  request: ApiRequest = {},
): Promise<string> {
  const { body } = await call<Problem>(cache, method, path, request);
  expect(body).toMatchObject({ status });
  return body.detail;
}

function operationOf(method: Method, path: string): Operation {
  const [route = ""] = path.split("?");
  const at = `/api/v1${route}`;
  const ofMethod = OPERATIONS.filter((each) => each.method === method);
  const operation =
    ofMethod.find(({ pattern }) => pattern.test(at)) ?? ofMethod.find(({ misfit }) => misfit?.(at));
  if (operation === undefined) throw new Error(`no operation for ${method} ${route}`);
  return operation;
}

function expectDocumented(operation: OperationObject, response: Answer, answer: unknown): void {
  const { status, headers } = response;
  const documented = operation.responses[status];
  expect(documented, `${operation.operationId} answers ${status}: ${JSON.stringify(answer)}`).toBeDefined();
  const [[type, { schema }] = ["", { schema: {} }]] = Object.entries(documented?.content ?? {});
  expect(headers.get("Content-Type")).toBe(type);
  expect(headers.get("Cache-Control")).toMatch(/^(private, )?no-store$/);
  expect(violations(answer, schema)).toEqual([]);
  if (status >= 400) expect(answer).toMatchObject({ status });
}

/** Runs something inside the catalog's own object. */
export function inCatalog<T>(run: (context: CatalogContext) => T): Promise<T> {
  return runInDurableObject(env.CATALOG.getByName("nix-cache"), ({ context }: Catalog) => run(context));
}

/** Makes the catalog fail at whatever it is asked from now on: its database is damaged. */
export async function breakCatalog(): Promise<void> {
  await inCatalog(({ sql }) => {
    const tables = sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
      .toArray()
      .map(({ name }) => name)
      .filter((name) => !name.startsWith("_cf_") && !name.startsWith("sqlite_"));
    for (const name of tables) sql.exec(`DROP TABLE ${name}`);
  });
}
