/** What may be asked for with POST /tokens and /tokens/exchange. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBody } from "../../src/api/input.ts";
import { mint, verifyMinted } from "../../src/auth/tokens/minted.ts";
import { deriveTokenKeys } from "../../src/config/token-secret.ts";
import { EXCHANGE_REQUEST, MAX_EXPIRES_IN, TOKEN_REQUEST } from "../../src/contract/tokens.ts";
import { HttpError } from "../../src/http/errors.ts";

const NOW = Date.UTC(2030, 0, 1);
const BODY = { name: "ci", permissions: ["push"], caches: ["nix-cache"], expires_in: 3600 };

const request = (body: string) => new Request("https://cache.example.org", { method: "POST", body });
const parse = (body: string) => parseBody(request(body), TOKEN_REQUEST, 16_384);
const parseExchange = (body: string) => parseBody(request(body), EXCHANGE_REQUEST, 16_384);

/** The refusal's status and line. */
async function refusal(parsed: Promise<unknown>): Promise<string> {
  try {
    await parsed;
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    expect(error.message).toMatch(/^[\x20-\x7e]{10,300}$/);
    return `${error.status} ${error.message}`;
  }
  return "none";
}

describe("the body of POST /tokens", () => {
  test("says what the token is to hold", async () => {
    expect(await parse(JSON.stringify(BODY))).toEqual(BODY);
  });

  const mistakes: [string, Record<string, unknown>, RegExp][] = [
    ["no name", { name: undefined }, /^400 name: is missing/],
    ["an empty name", { name: "" }, /^400 name:/],
    ["a name with a line break", { name: "ci\nx" }, /^400 name:/],
    ["a name with white space", { name: "a b" }, /^400 name:/],
    ["a long name", { name: "x".repeat(129) }, /^400 name:/],
    ["a name that is a number", { name: 7 }, /^400 name:/],
    ["no permissions", { permissions: undefined }, /^400 permissions: is missing/],
    ["an empty list of permissions", { permissions: [] }, /^400 permissions:/],
    [
      "an unknown permission",
      { permissions: ["push", "none"] },
      /^400 permissions\[1\]: must be pull or push or admin/,
    ],
    ["permissions as a text", { permissions: "push" }, /^400 permissions: must be a list/],
    ["a name of an exchanged token", { name: "oidc:x" }, /^400 name: .* not begin with oidc:/],
    ["no caches", { caches: [] }, /^400 caches:/],
    ["a cache that cannot be", { caches: ["../x"] }, /^400 caches\[0\]:/],
    ["a pattern with **", { caches: ["a**"] }, /^400 caches\[0\]:/],
    [
      "many caches",
      { caches: Array.from({ length: 17 }, (_, n) => `c${n}`) },
      /^413 caches: must have at most 16 items/,
    ],
    ["no end", { expires_in: undefined }, /^400 expires_in: is missing/],
    ["an end too near", { expires_in: 59 }, /^400 expires_in: must be a whole number of seconds from 60 to/],
    ["an end too far", { expires_in: MAX_EXPIRES_IN + 1 }, /^400 expires_in:/],
    ["an end in parts of seconds", { expires_in: 60.5 }, /^400 expires_in:/],
    ["an end as a text", { expires_in: "3600" }, /^400 expires_in:/],
    [
      "an unknown field",
      { expiresIn: 60 },
      /^400 unknown property 'expiresIn': the body takes name, permissions, caches, expires_in$/,
    ],
  ];
  test.each(mistakes)("a mistake: %s", async (_, change, line) => {
    expect(await refusal(parse(JSON.stringify({ ...BODY, ...change })))).toMatch(line);
  });

  test.each(["x", "[]", "null", "7", '"x"'])("%j is no such body", async (text) => {
    expect(await refusal(parse(text))).toMatch(
      /^400 the body (is not JSON; it must be|must be an object) like \{"name":"ci"/,
    );
  });

  test("anything at all is a request or a refusal", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        expect(await refusal(parse(text))).toMatch(/^(none|400 )/);
      }),
    );
  });

  test("the greatest token that can be asked for fits", async () => {
    const caches = Array.from({ length: 16 }, (_, n) => `${"x".repeat(61)}${n + 10}`);
    const asked = { name: "n".repeat(128), permissions: ["pull", "push", "admin"], caches, expires_in: 60 };
    const { name, permissions } = await parse(JSON.stringify(asked));
    const content = { name, grants: [{ permissions, caches }], expiresIn: 60 };
    const keys = await deriveTokenKeys(["s".repeat(32)]);
    const { token } = await mint(content, keys, NOW);
    expect(await verifyMinted(token, keys, NOW)).toMatchObject({ ok: true });
  });
});

describe("the body of POST /tokens/exchange", () => {
  test("asks for an hour unless it says otherwise", async () => {
    expect(await parseExchange("")).toEqual({ expires_in: 3600 });
    expect(await parseExchange('{"expires_in": 7200}')).toEqual({ expires_in: 7200 });
    const narrow = { expires_in: 3600, permissions: ["pull"] };
    expect(await parseExchange('{"permissions": ["pull"]}')).toEqual(narrow);
  });

  test.each([
    '{"expires_in": 21601}',
    '{"expires_in": 0}',
    '{"expires_in": null}',
    '{"permissions": ["write"]}',
    '{"permissions": []}',
    "[]",
    "x",
  ])("%s is refused", async (text) => {
    expect(await refusal(parseExchange(text))).toMatch(/^400 /);
  });
});
