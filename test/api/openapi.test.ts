/** The API's description says what the routes do, and every answer has the shape that it documents. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, inject, it } from "vitest";
import { OPENAPI } from "../../src/api/openapi.ts";
import type { Operation } from "../../src/api/openapi-operation.ts";
import { SCHEMAS } from "../../src/api/openapi-schemas.ts";
import type { RoutePermission } from "../../src/auth/gate/authorize.ts";
import { KINDS } from "../../src/bucket/kinds.ts";
import { MAX_LIVE_OF_A_NAME } from "../../src/catalog/rows/tokens.ts";
import { matchRoute } from "../../src/http/router.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { ROUTES } from "../../src/routes.ts";
import { ADMIN_TOKEN, PULL_TOKEN, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { createIssuer, KEY_SET } from "../support/oidc-issuer.ts";
import { apiCache, breakCatalog, call, inCatalog, type Method } from "./api.ts";
import { APP, DEMO, LIB, narInfoOf, pushRealClosure } from "./real-closure.ts";

/** An id that no token has. */
const NO_TOKEN = "A".repeat(22);
const TOKEN_SECRET = "a-secret-that-mints-tokens-and-is-long-enough";
const { secret: SIGNING_KEY } = await generateSecretKey("cache-1");
/** A pin that there is, and one that there is not. */
const PIN = "deployed";
const NO_PIN = "nothing";

afterEach(() => reset());
captureLog();

interface Documented {
  readonly method: Method;
  /** `/api/v1/paths/{hash}` */
  readonly template: string;
  readonly operation: Operation;
}

const OPERATIONS: Documented[] = Object.entries(OPENAPI.paths).flatMap(([template, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    method: method.toUpperCase() as Method,
    template,
    operation,
  })),
);

function routeOf({ method, template }: Documented) {
  const path = template.replace("{hash}", LIB).replace("{name}", PIN).replace("{id}", NO_TOKEN);
  return matchRoute(ROUTES, method, { path, query: "" }).route;
}

describe("the description and the route table", () => {
  it("have the same operations", () => {
    const documented = OPERATIONS.map(routeOf);
    const own = ROUTES.filter(({ pattern }) => pattern.source.startsWith("^\\/api"));
    expect(own.length).toBeGreaterThan(0);
    expect(new Set(documented)).toEqual(new Set(own));
    expect(documented).toHaveLength(own.length);
  });

  it.each(OPERATIONS)("agree on who may $method $template", (documented) => {
    const signIn = [{ basic: [] }, { bearer: [] }];
    const expected: Record<RoutePermission, unknown> = {
      none: [],
      pull: [{}, ...signIn],
      push: signIn,
      admin: signIn,
    };
    expect(documented.operation.security).toEqual(expected[routeOf(documented).permission]);
  });

  it.each(OPERATIONS)("agree on the parameters that $method $template takes", async (documented) => {
    const { template, operation } = documented;
    const names = (place: "path" | "query") =>
      operation.parameters.filter((parameter) => parameter.in === place).map(({ name }) => name);
    expect(names("path").map((name) => `{${name}}`)).toEqual(template.match(/\{\w+\}/g) ?? []);
    if (operation.operationId === "openapi") return;
    const { body } = await send(apiCache(), documented, { query: "?nonsense=1" });
    expect(body).toMatchObject({
      detail: `unknown parameter 'nonsense': this takes ${names("query").join(", ") || "none"}`,
    });
  });

  it("leave the routes of the protocol first, so that a read passes none of the API's", () => {
    const first = ROUTES.findIndex(({ pattern }) => pattern.source.startsWith("^\\/api"));
    expect(first).toBeGreaterThanOrEqual(2 * KINDS.length);
    expect(ROUTES.slice(first).every(({ pattern }) => pattern.source.startsWith("^\\/api"))).toBe(true);
  });
});

describe("the description", () => {
  it("is served as it is", async () => {
    const { body } = await call(apiCache(), "GET", "/openapi.json");
    expect(body).toEqual(JSON.parse(JSON.stringify(OPENAPI)));
    expect(body).toMatchObject({ openapi: "3.1.0" });
  });

  it("has every schema that it refers to, and refers to every one that it has", () => {
    const references = JSON.stringify(OPENAPI).match(/#\/components\/schemas\/\w+/g) ?? [];
    const names = new Set(references.map((reference) => reference.replace("#/components/schemas/", "")));
    expect([...names].sort()).toEqual(Object.keys(SCHEMAS).sort());
  });

  it("names each operation once", () => {
    const ids = OPERATIONS.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

/** How each documented refusal comes about, for any operation that documents it. */
const PROVOKE: Record<string, (cache: TestCache, documented: Documented) => Promise<unknown>> = {
  200: async (cache, documented) => {
    switch (documented.operation.operationId) {
      case "exchangeToken":
        return sendIdentity(documented);
      case "getToken":
      case "revokeToken": {
        const request = { token: ADMIN_TOKEN, body: BODIES.mintToken };
        const { body } = await call<{ id: string }>(cache, "POST", "/tokens", request);
        return send(cache, documented, { id: body.id });
      }
      default:
        return send(cache, documented);
    }
  },
  400: (cache, documented) => send(cache, documented, { query: "?nonsense=1" }),
  401: (_, documented) => send(apiCache({ PULL_TOKEN }), documented, { token: "wrong" }),
  403: async (cache, documented) => {
    switch (routeOf(documented).permission) {
      case "admin":
        return send(cache, documented, { token: PUSH_TOKEN });
      case "pull": {
        const elsewhere = { ...BODIES.mintToken, permissions: ["pull"], caches: ["another"] };
        const request = { token: ADMIN_TOKEN, body: elsewhere };
        const { body } = await call<{ token: string }>(cache, "POST", "/tokens", request);
        return send(apiCache({ TOKEN_SECRET, PULL_TOKEN }), documented, { token: body.token });
      }
      default:
        return send(apiCache({ PULL_TOKEN }), documented, { token: PULL_TOKEN });
    }
  },
  404: (cache, documented) => send(cache, documented, { hash: "0".repeat(32), name: NO_PIN, id: NO_TOKEN }),
  409: async (cache, documented) => {
    switch (documented.operation.operationId) {
      case "putPin":
        return send(cache, documented, { body: { store_path: `/nix/store/${"0".repeat(32)}-absent` } });
      case "resign":
        return send(cache, documented, { query: "?drop=cache-1" });
      case "gc":
        await call(cache, "POST", "/gc", { token: ADMIN_TOKEN });
        await inCatalog(({ sql }) => void sql.exec("UPDATE runs SET finished = NULL WHERE kind = 'gc'"));
        return send(cache, documented, { body: { dry_run: true } });
      default:
        return send(cache, documented, { hash: APP });
    }
  },
  413: (cache, documented) =>
    routeOf(documented).permission === "none"
      ? sendIdentity(documented, { body: TOO_LARGE })
      : send(cache, documented, { body: TOO_LARGE }),
  429: async (cache, documented) => {
    const isExchange = documented.operation.operationId === "exchangeToken";
    await fillTokens(isExchange ? IDENTITY_NAME : BODIES.mintToken.name);
    return isExchange ? sendIdentity(documented) : send(cache, documented);
  },
  503: async (cache, documented) => {
    if (routeOf(documented).permission === "none") return sendIdentity(documented, { isDown: true });
    await breakCatalog();
    return send(cache, documented);
  },
};

const LIB_PATH = /^StorePath: (.*)$/m.exec(narInfoOf(LIB))?.[1];

/** Valid bodies. */
const BODIES = {
  missing: { paths: [LIB] },
  putPin: { store_path: LIB_PATH, keep_revisions: 3 },
  gc: {},
  mintToken: { name: "ci", permissions: ["push"], caches: ["nix-cache"], expires_in: 3600 },
  exchangeToken: {},
};
/** More than any operation takes. */
const TOO_LARGE = { paths: Array(20_001).fill(LIB) };

/** A valid request of an operation, changed. `call` holds the answer against the description. */
function send(
  cache: TestCache,
  { method, template, operation }: Documented,
  {
    query = "",
    hash = DEMO,
    name = PIN,
    id = NO_TOKEN,
    token = ADMIN_TOKEN,
    body = (BODIES as Record<string, unknown>)[operation.operationId],
  } = {},
) {
  const ending = template.replace("/api/v1", "");
  const path = ending.replace("{hash}", hash).replace("{name}", name).replace("{id}", id) + query;
  return call<unknown>(cache, method, path, { token, ...(operation.requestBody && { body }) });
}

/** With the token of an issuer, which may be down. */
async function sendIdentity(
  documented: Documented,
  { isDown = false, body = BODIES.exchangeToken }: { isDown?: boolean; body?: object } = {},
) {
  const issuer = await createIssuer(inject("oidcServer"));
  const rule = { issuer: issuer.url, audience: "cache", claims: { repository: "acme/app" } };
  const OIDC = [{ ...rule, permissions: ["push"], caches: ["nix-cache"] }];
  const token = await issuer.token({ aud: "cache", sub: "repo:acme/app", repository: "acme/app" });
  if (isDown) await issuer.misbehave({ [KEY_SET]: { status: 500 } });
  return send(apiCache({ TOKEN_SECRET, OIDC }), documented, { token, body });
}

/** What {@link sendIdentity} mints is called this. */
const IDENTITY_NAME = "oidc:repo:acme/app";

/** As many good tokens of a name as there may be. */
async function fillTokens(name: string): Promise<void> {
  await inCatalog(({ sql }) => {
    for (let index = 0; index < MAX_LIVE_OF_A_NAME; index++) {
      sql.exec(
        "INSERT INTO tokens (id, name, grants, minted_by, created, expires) VALUES (?, ?, '[]', '', 0, ?)",
        ...[`${index}`, name, Date.now() + 3_600_000],
      );
    }
  });
}

const ANSWERS = OPERATIONS.flatMap((documented) =>
  Object.keys(documented.operation.responses)
    .filter((status) => status !== "default")
    .map((status) => ({ ...documented, status })),
);

describe("every documented answer is given and has the documented shape", () => {
  it.each(ANSWERS)("$method $template: $status", async ({ status, ...documented }) => {
    const cache = apiCache({ TOKEN_SECRET, SIGNING_KEY });
    await pushRealClosure(cache);
    const { operation, method, template } = documented;
    if (template.includes("{name}")) {
      await call(cache, "PUT", `/pins/${PIN}`, { token: ADMIN_TOKEN, body: BODIES.putPin });
    }
    // A status of a run is there once one has been begun.
    if (/Status$/.test(operation.operationId) && status === "200") {
      await call(cache, "POST", template.replace("/api/v1", ""), { token: ADMIN_TOKEN });
    }
    const provoke = PROVOKE[status];
    expect(provoke, `${method} ${template} documents ${status}, and no test provokes it`).toBeDefined();
    expect(await provoke?.(cache, documented)).toMatchObject({ status: Number(status) });
  });
});
