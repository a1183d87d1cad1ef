/** The API's description says what the routes do, and every answer has the shape that it documents. */
// @module-tag slow
import { reset } from "cloudflare:test";
import * as v from "valibot";
import { afterEach, describe, expect, inject, it } from "vitest";
import { jsonSchema } from "../../src/api/json-schema.ts";
import type { OperationObject } from "../../src/api/openapi.ts";
import type { Operation } from "../../src/api/operation.ts";
import { OPERATIONS } from "../../src/api/operations.ts";
import type { RoutePermission } from "../../src/auth/gate/authorize.ts";
import { KINDS } from "../../src/bucket/kinds.ts";
import { MAX_LIVE_OF_A_NAME } from "../../src/catalog/rows/tokens.ts";
import { MAX_REVOKED_SUBJECTS } from "../../src/contract/revocations.ts";
import { matchRoute } from "../../src/http/router.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { PAGE_ROUTES } from "../../src/page/routes.ts";
import { ROUTES } from "../../src/routes.ts";
import { ADMIN_TOKEN, PULL_TOKEN, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { indexMadeUp, indexReferrers, madeUpHash } from "../support/many.ts";
import { createIssuer, KEY_SET } from "../support/oidc-issuer.ts";
import { bodyOf, pathOf } from "../support/operations.ts";
import { reindex } from "../support/runs.ts";
import { apiCache, breakCatalog, call, inCatalog } from "./api.ts";
import { APP, DEMO, LIB, narInfoOf, pushRealClosure } from "./real-closure.ts";
import { DOCUMENT, describedAs, violations } from "./schema.ts";

const TOKEN_SECRET = "a-secret-that-mints-tokens-and-is-long-enough";
const { secret: SIGNING_KEY } = await generateSecretKey("cache-1");
/** A pin that there is, and one that there is not. */
const PIN = "deployed";
const NO_PIN = "nothing";

afterEach(() => reset());
captureLog();

interface Documented {
  readonly operation: Operation;
  readonly description: OperationObject;
}

const DOCUMENTED: Documented[] = OPERATIONS.map((operation) => ({
  operation,
  description: describedAs(operation),
}));

describe("the description and the routes", () => {
  it("have the same operations", () => {
    expect(ROUTES.filter(({ pattern }) => pattern.source.startsWith("^\\/api"))).toEqual(OPERATIONS);
    expect(Object.values(DOCUMENT.paths).flatMap((methods) => Object.values(methods))).toHaveLength(
      OPERATIONS.length,
    );
  });

  it.each(OPERATIONS)("$method $path reaches its own operation", (operation) => {
    const path = `/api/v1${pathOf(operation)}`;
    expect(matchRoute(ROUTES, operation.method, { path, query: "" }).route).toBe(operation);
  });

  it.each(DOCUMENTED)("agree on who may $operation.id", ({ operation, description }) => {
    const signIn = [{ basic: [] }, { bearer: [] }];
    const expected: Record<RoutePermission, unknown> = {
      none: [{}, ...signIn],
      pull: [{}, ...signIn],
      list: [{}, ...signIn],
      push: signIn,
      admin: signIn,
    };
    expect(description.security).toEqual(expected[operation.permission]);
  });

  it.each(DOCUMENTED)("agree on the parameters of $operation.id", async (documented) => {
    const { operation, description } = documented;
    const names = (place: "path" | "query") =>
      description.parameters.filter((parameter) => parameter.in === place).map(({ name }) => name);
    expect(names("path").map((name) => `{${name}}`)).toEqual(operation.path.match(/\{\w+\}/g) ?? []);
    const { body } = await send(apiCache(), documented, { query: "?nonsense=1" });
    expect(body).toMatchObject({
      detail: `unknown parameter 'nonsense': this takes ${names("query").join(", ") || "none"}`,
    });
  });

  it("options of a POST or PUT are in its body, those of a GET or DELETE are parameters", () => {
    for (const { operation, description } of DOCUMENTED) {
      const { method } = operation;
      const query = description.parameters.filter((parameter) => parameter.in === "query");
      if (method === "POST" || method === "PUT") expect([operation.id, query]).toEqual([operation.id, []]);
      else expect([operation.id, operation.body]).toEqual([operation.id, undefined]);
    }
  });

  it("leave the routes of the protocol first, so that a read passes none of the API's and of the pages", () => {
    const first = ROUTES.findIndex(({ pattern }) => pattern.source.startsWith("^\\/api"));
    expect(first).toBeGreaterThanOrEqual(2 * KINDS.length);
    expect(ROUTES.slice(first)).toEqual([...OPERATIONS, ...PAGE_ROUTES]);
  });
});

describe("the description", () => {
  it("is served as it is, with the address of the cache", async () => {
    const { body } = await call(apiCache(), "GET", "/openapi.json");
    expect(body).toEqual(JSON.parse(JSON.stringify(DOCUMENT)));
    expect(body).toMatchObject({ openapi: "3.1.0", servers: [{ url: "/" }] });
    const named = await apiCache({ CACHES: { team: {} } }).fetch("/team/api/v1/openapi.json");
    expect(JSON.parse(named.text)).toEqual({
      ...JSON.parse(JSON.stringify(DOCUMENT)),
      servers: [{ url: "/team" }],
    });
  });

  it("has every schema that it refers to, and refers to every one that it has", () => {
    const references = JSON.stringify(DOCUMENT).match(/#\/components\/schemas\/\w+/g) ?? [];
    const names = new Set(references.map((reference) => reference.replace("#/components/schemas/", "")));
    expect([...names].sort()).toEqual(Object.keys(DOCUMENT.components.schemas).sort());
  });

  it("gives one shape to each name", () => {
    const shapes = new Map<string, v.GenericSchema>();
    const visit = (schema: v.GenericSchema): void => {
      const title = v.getTitle(schema);
      if (title === undefined) return;
      expect(shapes.get(title) ?? schema).toBe(schema);
      shapes.set(title, schema);
    };
    for (const { answer } of OPERATIONS) visit(answer);
    expect(shapes.size).toBeGreaterThan(10);
  });

  it("says everything in snake_case", () => {
    const names = JSON.stringify(DOCUMENT.components.schemas).match(/"\w+":/g) ?? [];
    const keywords = ["allOf", "minItems", "maxItems", "minLength", "maxLength", "additionalProperties"];
    const components = Object.keys(DOCUMENT.components.schemas);
    const others = names
      .map((name) => name.slice(1, -2))
      .filter((name) => ![...keywords, ...components].includes(name));
    expect(others.filter((name) => /[A-Z]/.test(name))).toEqual([]);
  });

  it("names each operation once", () => {
    const ids = OPERATIONS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(OPERATIONS.flatMap(({ id, body }) => (body ? [{ id, body }] : [])))(
    "shows a body that $id takes",
    ({ body }) => {
      const [example] = jsonSchema(body).examples ?? [];
      expect(v.is(body, example)).toBe(true);
      expect(violations(example, jsonSchema(body))).toEqual([]);
    },
  );
});

type Provoke = (cache: TestCache, documented: Documented) => Promise<unknown>;

/** By operation: how an answer comes about that depends on more than the closure and the pin that are there. */
const PROVOKE_OF: Readonly<Record<string, Readonly<Record<string, Provoke>>>> = {
  openapi: {
    401: () => {
      const CACHES = { team: { visibility: "private" } };
      return call(apiCache({ CACHES }), "GET", "/openapi.json", { cacheName: "team" });
    },
  },
  mintToken: {
    404: (cache, documented) => send(cache, documented, { body: { ...MINT, caches: ["another"] } }),
  },
  exchangeToken: {
    200: (_, documented) => sendIdentity(documented),
    413: (_, documented) => sendIdentity(documented, { body: TOO_LARGE }),
  },
  revokeSubject: {
    409: async (cache, documented) => {
      await inCatalog(({ sql }) => {
        for (let index = 0; index < MAX_REVOKED_SUBJECTS; index++) {
          sql.exec(
            "INSERT INTO revoked_subjects (subject, issuer, revoked, expires) VALUES (?, '', 0, ?)",
            ...[`${index}`, Date.now() + 3_600_000],
          );
        }
      });
      return send(cache, documented);
    },
  },
  describeCache: { 503: sendUnchecked },
  getToken: { 200: sendMinted },
  revokeToken: { 200: sendMinted },
  deletePath: {
    202: deleteMany,
    409: (cache, documented) => send(cache, documented, { values: { hash: APP } }),
  },
  putPin: {
    409: (cache, documented) =>
      send(cache, documented, { body: { store_path: `/nix/store/${"0".repeat(32)}-absent` } }),
  },
  deletionStatus: {
    200: async (cache, documented) => {
      await deleteMany(cache);
      return send(cache, documented);
    },
  },
  resign: { 409: (cache, documented) => send(cache, documented, { body: { drop: "cache-1" } }) },
  gc: {
    409: async (cache, documented) => {
      await call(cache, "POST", "/gc", { token: ADMIN_TOKEN });
      await inCatalog(({ sql }) => void sql.exec("UPDATE runs SET finished = NULL WHERE kind = 'gc'"));
      return send(cache, documented, { body: { dry_run: true } });
    },
  },
};

/** How each documented answer comes about, for any operation that documents it. */
const PROVOKE: Readonly<Record<string, Provoke>> = {
  200: (cache, documented) => send(cache, documented),
  400: (cache, documented) => send(cache, documented, { query: "?nonsense=1" }),
  401: (_, documented) => send(apiCache({ PULL_TOKEN }), documented, { token: "wrong" }),
  403: async (cache, documented) => {
    switch (documented.operation.permission) {
      case "admin":
        return send(cache, documented, { token: PUSH_TOKEN });
      case "list":
      case "pull": {
        const elsewhere = { ...MINT, permissions: ["pull"], caches: ["another"] };
        const request = { token: ADMIN_TOKEN, body: elsewhere };
        const minting = apiCache({ TOKEN_SECRET, CACHES: { another: {} } });
        const { body } = await call<{ token: string }>(minting, "POST", "/tokens", request);
        return send(apiCache({ TOKEN_SECRET, PULL_TOKEN }), documented, { token: body.token });
      }
      default:
        return send(apiCache({ PULL_TOKEN }), documented, { token: PULL_TOKEN });
    }
  },
  404: (cache, documented) => send(cache, documented, { values: ABSENT }),
  413: (cache, documented) => send(cache, documented, { body: TOO_LARGE }),
  429: async (cache, documented) => {
    await fillTokens(MINT.name);
    return send(cache, documented);
  },
  503: async (cache, documented) => {
    if (documented.operation.permission === "none") return sendIdentity(documented, { isDown: true });
    await breakCatalog();
    return send(cache, documented);
  },
};

/** Begins the deletion of a path to which many refer. */
async function deleteMany(cache: TestCache) {
  const hash = madeUpHash("0", 1);
  await inCatalog((c) => reindex(c));
  await inCatalog((c) => {
    indexMadeUp(c, hash, []);
    indexReferrers(c, "1", 150, hash);
  });
  return call<unknown>(cache, "DELETE", `/paths/${hash}?closure=referrers`, { token: ADMIN_TOKEN });
}

const LIB_PATH = /^StorePath: (.*)$/m.exec(narInfoOf(LIB))?.[1];

/** Values of path parameters of what is there, and of what is not; other parameters have their schema's example. */
const PRESENT = { hash: DEMO, name: PIN };
const ABSENT = { hash: "0".repeat(32), name: NO_PIN };
const MINT = { name: "ci", permissions: ["push"], caches: ["nix-cache"], expires_in: 3600 };
/** By operation: valid bodies, where the example of the description would be refused in this cache. */
const BODIES: Readonly<Record<string, unknown>> = {
  putPin: { store_path: LIB_PATH, keep_revisions: 3 },
  resign: {},
};
/** More than any operation takes. */
const TOO_LARGE = { paths: Array(20_001).fill(LIB) };

/** A valid request of an operation, changed. `call` holds the answer against the description. */
function send(
  cache: TestCache,
  { operation }: Documented,
  {
    query = "",
    token = ADMIN_TOKEN,
    body = BODIES[operation.id] ?? bodyOf(operation),
    values = PRESENT,
  }: { query?: string; token?: string; body?: unknown; values?: Readonly<Record<string, string>> } = {},
) {
  const path = pathOf(operation, values) + query;
  return call<unknown>(cache, operation.method, path, { token, ...(operation.body && { body }) });
}

/** To a private cache, whose catalog cannot say whether the token is revoked. */
async function sendUnchecked(cache: TestCache, documented: Documented) {
  const { body } = await call<{ token: string }>(cache, "POST", "/tokens", {
    token: ADMIN_TOKEN,
    body: MINT,
  });
  await breakCatalog();
  return send(apiCache({ TOKEN_SECRET, PULL_TOKEN }), documented, { token: body.token });
}

/** Of a token that there is. */
async function sendMinted(cache: TestCache, documented: Documented) {
  const { body } = await call<{ id: string }>(cache, "POST", "/tokens", { token: ADMIN_TOKEN, body: MINT });
  return send(cache, documented, { values: { id: body.id } });
}

/** With the token of an issuer, which may be down. */
async function sendIdentity(
  documented: Documented,
  { isDown = false, body = {} }: { isDown?: boolean; body?: object } = {},
) {
  const issuer = await createIssuer(inject("oidcServer"));
  const rule = { issuer: issuer.url, audience: "cache", claims: { repository: "acme/app" } };
  const OIDC = [{ ...rule, permissions: ["push"], caches: ["nix-cache"] }];
  const token = await issuer.token({ aud: "cache", sub: "repo:acme/app", repository: "acme/app" });
  if (isDown) await issuer.misbehave({ [KEY_SET]: { status: 500 } });
  return send(apiCache({ TOKEN_SECRET, OIDC }), documented, { token, body });
}

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

const ANSWERS = DOCUMENTED.flatMap((documented) =>
  Object.keys(documented.description.responses)
    .filter((status) => status !== "default")
    .map((status) => ({ ...documented, status })),
);

describe("every documented answer is given and has the documented shape", () => {
  it.each(ANSWERS)("$operation.method $operation.path: $status", async ({ status, ...documented }) => {
    const cache = apiCache({ TOKEN_SECRET, SIGNING_KEY });
    await pushRealClosure(cache);
    const { id, path } = documented.operation;
    if (path.includes("{name}")) {
      await call(cache, "PUT", `/pins/${PIN}`, { token: ADMIN_TOKEN, body: BODIES.putPin });
    }
    // A status of a run is there once one has been begun.
    if (/Status$/.test(id) && id !== "deletionStatus" && status === "200")
      await call(cache, "POST", path, { token: ADMIN_TOKEN });
    const provoke = PROVOKE_OF[id]?.[status] ?? PROVOKE[status];
    const hint = `${id} documents ${status}: say in PROVOKE_OF.${id} how it comes about, or give it a body in BODIES`;
    expect(provoke, hint).toBeDefined();
    expect(await provoke?.(cache, documented), hint).toMatchObject({ status: Number(status) });
  });
});
