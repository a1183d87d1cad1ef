/** Who may read and write: every credential against every configuration of the tokens. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import type { Env } from "../../../src/env.ts";
import {
  ADMIN_TOKEN,
  basic,
  cacheWith,
  contents,
  keys,
  PULL_TOKEN,
  PUSH_TOKEN,
} from "../../support/cache.ts";
import { expectRefusal } from "../../support/refusal.ts";
import { bytesOf, narKeyOf } from "../../support/store-paths.ts";

afterEach(reset);

const CREDENTIALS = {
  none: undefined,
  "wrong Bearer": "Bearer wrong",
  "wrong Basic": basic("nix", "wrong"),
  "the token as login": basic(PUSH_TOKEN, ""),
  "no password": basic("nix", ""),
  "garbage base64": "Basic !!!!",
  "another scheme": `Digest ${PUSH_TOKEN}`,
  "a prefix of the push token": `Bearer ${PUSH_TOKEN.slice(0, -1)}`,
  "more than the push token": `Bearer ${PUSH_TOKEN}x`,
  "the push token in upper case": `Bearer ${PUSH_TOKEN.toUpperCase()}`,
  "pull Bearer": `Bearer ${PULL_TOKEN}`,
  "pull Basic": basic("nix", PULL_TOKEN),
  "push Bearer": `Bearer ${PUSH_TOKEN}`,
  "push bearer, lower case": `bearer ${PUSH_TOKEN}`,
  "push Basic": basic("nix", PUSH_TOKEN),
  "push Basic, no login": basic("", PUSH_TOKEN),
  "admin Bearer": `Bearer ${ADMIN_TOKEN}`,
  "admin Basic": basic("nix", ADMIN_TOKEN),
} as const;
type Credential = keyof typeof CREDENTIALS;

const PUSH: readonly Credential[] = [
  "push Bearer",
  "push bearer, lower case",
  "push Basic",
  "push Basic, no login",
];
const PULL: readonly Credential[] = ["pull Bearer", "pull Basic"];
const ADMIN: readonly Credential[] = ["admin Bearer", "admin Basic"];
/** Headers in which there is no token at all. */
const TOKENLESS: readonly Credential[] = ["none", "garbage base64", "another scheme"];
const EMPTY: readonly Credential[] = ["the token as login", "no password"];
const ALL = Object.keys(CREDENTIALS) as Credential[];

interface Case {
  readonly name: string;
  readonly variables: Partial<Env>;
  readonly mayRead: readonly Credential[];
  readonly mayWrite: readonly Credential[];
  /** Credentials that are right, but for something else: 403 instead of 401 on a write. */
  readonly known: readonly Credential[];
}

const CASES: Case[] = [
  { name: "PUSH_TOKEN only", variables: {}, mayRead: ALL, mayWrite: PUSH, known: [] },
  {
    name: "PUSH_TOKEN and PULL_TOKEN",
    variables: { PULL_TOKEN },
    mayRead: [...PULL, ...PUSH],
    mayWrite: PUSH,
    known: PULL,
  },
  {
    name: "all three tokens",
    variables: { PULL_TOKEN, ADMIN_TOKEN },
    mayRead: [...PULL, ...PUSH, ...ADMIN],
    mayWrite: [...PUSH, ...ADMIN],
    known: PULL,
  },
  {
    name: "ADMIN_TOKEN only",
    variables: { PUSH_TOKEN: "", ADMIN_TOKEN },
    mayRead: ALL,
    mayWrite: ADMIN,
    known: [],
  },
  { name: "no token", variables: { PUSH_TOKEN: "" }, mayRead: ALL, mayWrite: [], known: ALL },
  {
    name: "PULL_TOKEN only",
    variables: { PUSH_TOKEN: "", PULL_TOKEN },
    mayRead: PULL,
    mayWrite: [],
    known: ALL,
  },
];

const READ = "/nix-cache-info";

describe.each(CASES)("$name", ({ variables, mayRead, mayWrite, known }) => {
  const cache = cacheWith(variables);
  const headersOf = (credential: Credential): Record<string, string> => {
    const authorization = CREDENTIALS[credential];
    return authorization === undefined ? {} : { Authorization: authorization };
  };

  const whyNot = (credential: Credential) =>
    credential === "none"
      ? "no token was sent"
      : TOKENLESS.includes(credential)
        ? "the Authorization header has neither"
        : `the token is ${EMPTY.includes(credential) ? "empty" : "wrong"}`;

  test.each(ALL)("reading with: %s", async (credential) => {
    const response = await cache.get(READ, headersOf(credential));
    const head = await cache.head(READ, headersOf(credential));
    if (mayRead.includes(credential)) {
      expect([response.status, head.status]).toEqual([200, 200]);
      return;
    }
    const line = expectRefusal(response, 401);
    expect(line).toMatch(/^this cache is private, and .*netrc/);
    expect(line).toContain(whyNot(credential));
    expect(response.headers.get("WWW-Authenticate")).toMatch(/^Basic realm="/);
    expect([head.status, head.headers.get("WWW-Authenticate"), head.text]).toEqual([
      401,
      response.headers.get("WWW-Authenticate"),
      "",
    ]);
  });

  test.each(ALL)("writing with: %s", async (credential) => {
    const body = bytesOf(`a NAR pushed with: ${credential}`);
    const key = await narKeyOf(body);
    const response = await cache.fetch(`/${key}`, {
      method: "PUT",
      body,
      headers: { "Content-Length": `${body.length}`, ...headersOf(credential) },
    });
    if (mayWrite.includes(credential)) {
      expect([response.status, await keys()]).toEqual([201, [key]]);
      return;
    }
    if (known.includes(credential)) {
      expectRefusal(response, 403);
    } else {
      const line = expectRefusal(response, 401);
      expect(line).toMatch(/^this needs the push permission, and .*netrc/);
      expect(line).toContain(whyNot(credential));
      expect(response.headers.get("WWW-Authenticate")).toMatch(/^Basic realm="/);
    }
    expect(await keys()).toEqual([]);
  });
});

test("without PUSH_TOKEN a refused write says what to configure", async () => {
  const response = await cacheWith({ PUSH_TOKEN: "" }).put("/nix-cache-info", "");
  expect(expectRefusal(response, 403)).toBe(
    "writing is switched off: no PUSH_TOKEN is configured; set one with 'npm run wrangler -- secret put PUSH_TOKEN', on your own machine in .dev.vars before the start\n",
  );
});

test("the pull token on a write says which token is needed", async () => {
  const response = await cacheWith({ PULL_TOKEN }).put("/nix-cache-info", "", {
    Authorization: basic("nix", PULL_TOKEN),
  });
  expect(expectRefusal(response, 403)).toMatch(/^PULL_TOKEN may pull only; this needs the push permission/);
});

test("a token from a file, with a newline at its end, is the token", async () => {
  const cache = cacheWith({ PUSH_TOKEN: `${PUSH_TOKEN}\n`, PULL_TOKEN: `\t${PULL_TOKEN}\r\n` });
  expect((await cache.put(READ, "")).status).toBe(200);
  expect((await cache.get(READ, { Authorization: basic("", PULL_TOKEN) })).status).toBe(200);
});

describe("a private cache", () => {
  const cache = cacheWith({ PULL_TOKEN });

  test("tells strangers nothing of what it has", async () => {
    const nar = bytesOf("private");
    const key = await narKeyOf(nar);
    await cache.put(`/${key}`, nar);
    expect(Object.values(await contents())).toEqual(["private"]);
    const [there, missing] = [await cache.get(`/${key}`), await cache.get("/nar/missing")];
    expect(expectRefusal(there, 401)).toBe(expectRefusal(missing, 401));
  });

  test("its front page needs a token, its health does not", async () => {
    expectRefusal(await cache.get("/"), 401);
    expect((await cache.get("/health")).status).toBe(200);
  });
});
