/** Who may do what: every route against every credential, in every form, on every kind of cache. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterAll, beforeAll, describe, expect, inject, type MockInstance, test, vi } from "vitest";
import { cacheWith, PULL_TOKEN, type TestCache } from "../../support/cache.ts";
import { captureLog } from "../../support/log.ts";
import { createIssuer } from "../../support/oidc-issuer.ts";
import { type Credential, credentials, FORMS, type Form, headersFor, variablesFor } from "../wallet.ts";
import { type Cache, type Cell, examples, expectedCell } from "./table.ts";

captureLog();
afterAll(reset);

/** No status of any refusal: what the handlers answer here. */
const PASSED = 299;

const EXAMPLES = examples();
const NAMED: readonly Cache[] = [
  { name: "team", prefix: "/team", kind: "named", isPrivate: false },
  { name: "secret", prefix: "/secret", kind: "named", isPrivate: true },
  // Where there are private ones, it passes for one.
  { name: "nothing", prefix: "/nothing", kind: "undeclared", isPrivate: true },
];
const CACHES = { team: {}, secret: { visibility: "private" } };
const DEPLOYMENTS = [
  {
    name: "a public default cache",
    variables: { CACHES },
    caches: [...own(false), ...NAMED],
  },
  {
    name: "a private default cache",
    variables: { CACHES, PULL_TOKEN },
    caches: [...own(true), ...NAMED],
  },
];

/** The default cache, with and without its name. */
function own(isPrivate: boolean): readonly Cache[] {
  return ["", "/nix-cache"].map((prefix) => ({ name: "nix-cache", prefix, kind: "default", isPrivate }));
}

/** The names only: the tokens themselves are made when the issuer runs. */
const KINDS = [
  ...["none", "wrong", "wrong secret", "PULL_TOKEN", "PUSH_TOKEN", "ADMIN_TOKEN"],
  ...["pull", "push", "admin"].flatMap((permission) =>
    ["nix-cache", "team", "secret", "*"].map((name) => `minted: ${permission} on ${name}`),
  ),
  ...["minted, expired", "minted, revoked", "OIDC", "OIDC of another repository", "OIDC, expired"],
];

describe.each(DEPLOYMENTS)("$name", ({ variables, caches }) => {
  let cache: TestCache;
  let wallet: ReadonlyMap<string, Credential>;
  const handlers: MockInstance[] = [];

  beforeAll(async () => {
    const issuer = await createIssuer(inject("oidcServer"));
    cache = cacheWith({ ...variablesFor(issuer), ...variables });
    wallet = new Map((await credentials(issuer, cache)).map((each) => [each.name, each]));
    // Only the gate is asked here: behind it everything passes.
    for (const { route } of EXAMPLES) {
      const handler = vi.spyOn(route, "handler");
      handlers.push(handler.mockImplementation(async () => new Response(null, { status: PASSED })));
    }
  });
  afterAll(() => {
    for (const handler of handlers) handler.mockRestore();
  });

  function credentialOf(name: string): Credential {
    const found = wallet.get(name);
    if (found === undefined) throw new Error(`no credential ${name}`);
    // PULL_TOKEN is one only where it is configured.
    return name === "PULL_TOKEN" && !("PULL_TOKEN" in variables) ? { ...found, worth: "refused" } : found;
  }

  async function cellOf(method: string, path: string, credential: Credential, form: Form): Promise<Cell> {
    const { status } = await cache.fetch(path, {
      method,
      headers: headersFor(credential, form, method, path),
    });
    return status === PASSED ? "passed" : (status as Cell);
  }

  test("every kind of credential is here", () => {
    expect([...wallet.keys()]).toEqual(KINDS);
  });

  describe.each(caches)("$kind cache at '$prefix/'", (place) => {
    test.each(KINDS.flatMap((name) => FORMS.map((form) => [name, form] as const)))(
      "%s by %s",
      async (name, form) => {
        const credential = credentialOf(name);
        const found: Record<string, Cell> = {};
        const expected: Record<string, Cell> = {};
        for (const { route, methods, path } of EXAMPLES) {
          // S3 knows buckets by their names: without one this is no request of theirs.
          if (form === "SigV4" && place.prefix === "" && path.startsWith("/?")) continue;
          for (const method of methods) {
            const cell = `${method} ${path} (${route.permission})`;
            found[cell] = await cellOf(method, `${place.prefix}${path}`, credential, form);
            // For S3 clients a bucket is its listing.
            const isSigned = form === "SigV4" && credential.worth !== "nobody";
            const isListing = isSigned && place.prefix !== "" && path === "/";
            const permission = isListing ? "list" : route.permission;
            const worth = expectedCell(permission, place, credential.worth);
            // A wrong signature, as S3 says it; what is wrong with a token inside is said as everywhere.
            const isSignature = form === "SigV4" && credential.worth === "refused" && credential.accessKey;
            const isSignedStranger = form === "SigV4" && typeof credential.worth === "object";
            expected[cell] = worth === 401 ? (isSignature ? 403 : isSignedStranger ? 404 : 401) : worth;
          }
        }
        expect(found).toEqual(expected);
      },
    );
  });
});

test("where no named cache is private, a name that is not declared is a path that is not there", async () => {
  const cache = cacheWith({ CACHES: { team: {} }, PULL_TOKEN });
  for (const { methods, path } of EXAMPLES) {
    for (const method of methods) {
      const { status } = await cache.fetch(`/nothing${path}`, { method });
      expect([method, path, status]).toEqual([method, path, 404]);
    }
  }
});
