/** The API takes what its description allows, and nothing else: every parameter and every property of every body. */
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { jsonSchema } from "../../src/api/json-schema.ts";
import { OPERATIONS } from "../../src/api/operations.ts";
import { ADMIN_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { pathOf } from "../support/operations.ts";
import { apiCache } from "./api.ts";
import { describedAs, violations } from "./schema.ts";

captureLog();

interface Input {
  readonly name: string;
  readonly schema: v.GenericSchema;
}

/** An optional property counts as what it is where it is there. */
function unwrapped(schema: v.GenericSchema): v.GenericSchema {
  return schema.type === "exact_optional"
    ? (schema as unknown as { wrapped: v.GenericSchema }).wrapped
    : schema;
}

const INPUTS: Input[] = OPERATIONS.flatMap(({ id, parameters = {}, body }) => [
  ...Object.entries(parameters).map(([name, schema]) => ({
    name: `${id}?${name}`,
    schema: unwrapped(schema as v.GenericSchema),
  })),
  ...Object.entries(body?.entries ?? {}).map(([name, schema]) => ({
    name: `${id} ${name}`,
    schema: unwrapped(schema as v.GenericSchema),
  })),
]);

/** Cursors are opaque: which texts are some is not described. */
const isCursor = ({ name }: Input) => name.endsWith("?cursor");

const HASH = "3m5fd0cx9d74whnzm8ryrjgglb2gs4b2";
const TEXTS = [
  ...[
    "",
    " ",
    "\n",
    "a",
    "A",
    "0",
    "-",
    "*",
    ":",
    "ü",
    "鍵",
    "\u007f",
    "\u0000",
    "a\n",
    "a b",
    "null",
    "true",
    "false",
  ],
  ...[
    "oidc:a",
    "push",
    "pull",
    "admin",
    "referrers",
    "nix-cache",
    "team-*",
    "a".repeat(128),
    "a".repeat(129),
  ],
  ...[
    "a".repeat(211),
    "a".repeat(212),
    "a".repeat(1000),
    "a".repeat(1001),
    "a".repeat(4096),
    "a".repeat(4097),
  ],
  ...[
    HASH,
    `${HASH}-`,
    `${HASH}-a`,
    `${HASH}-${"a".repeat(211)}`,
    `${HASH}-${"a".repeat(212)}`,
    HASH.toUpperCase(),
  ],
  ...[
    `/nix/store/${HASH}`,
    `/nix/store/${HASH}-a`,
    `/nix/store/${HASH}-a/b`,
    `/${HASH}-a`,
    `nix/store/${HASH}-a`,
  ],
  ...[`/nix/store/${HASH}-.`, `/nix/store/${HASH}-ü`, "/0/0", "AAAAAAAAAAAAAAAAAAAAAA"],
];
const NUMBERS = [-1, 0, 1, 1.5, 59, 60, 100, 999, 1000, 1001, 21_600, 21_601, 36_500, 36_501, 1e9, 2 ** 53];
const PLAIN = [...TEXTS, ...NUMBERS, null, true, false];
const VALUES: unknown[] = [
  ...PLAIN,
  [],
  {},
  [[]],
  [{}],
  ...PLAIN.map((value) => [value]),
  Array(17).fill("a"),
  ["push", "push"],
];

describe.each(INPUTS)("$name", (input) => {
  const { schema } = input;
  const described = jsonSchema(schema);
  const isTaken = (value: unknown) => v.is(schema, value);
  const isAllowed = (value: unknown) => violations(value, described).length === 0;

  it("takes what is described", () => {
    const taken = VALUES.filter((value) =>
      isCursor(input) ? isTaken(value) && !isAllowed(value) : isTaken(value),
    );
    const allowed = isCursor(input) ? [] : VALUES.filter(isAllowed);
    expect(taken).toEqual(allowed);
  });

  it.skipIf(isCursor(input))("takes any such value", () => {
    const { pattern, maxLength = 50 } = described;
    // The generator of texts knows no lookahead.
    const plain = pattern?.replaceAll(/\(\?[=!][^()]*(\([^()]*\)[^()]*)*\)/g, "");
    const text =
      plain === undefined ? fc.string({ maxLength: maxLength + 2 }) : fc.stringMatching(new RegExp(plain));
    const value = fc.oneof(text, fc.array(text, { maxLength: 4 }), fc.jsonValue(), fc.integer());
    fc.assert(
      fc.property(value, (some) => isTaken(some) === isAllowed(some)),
      { numRuns: 300 },
    );
  });
});

describe.each(OPERATIONS.filter(({ body }) => body !== undefined))("the body of $id", (operation) => {
  const cache = apiCache({ TOKEN_SECRET: "a-secret-that-mints-tokens-and-is-long-enough" });
  const described = describedAs(operation).requestBody?.content["application/json"]?.schema ?? {};
  const [example = {}] = described.examples ?? [];

  const bodies: unknown[] = [
    ...["", "null", "[]", "1", '"a"', "{", '{"nonsense":1}'],
    ...Object.keys(described.properties ?? {}).map((name) => ({ ...(example as object), [name]: null })),
    ...Object.keys(described.properties ?? {}).map((name) => ({ ...(example as object), [name]: "" })),
  ];

  it.each(bodies)("is refused as it is described: %j", async (body) => {
    const sent = typeof body === "string" ? body : JSON.stringify(body);
    const { status } = await cache.fetch(`/api/v1${pathOf(operation)}`, {
      method: operation.method,
      headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      body: sent,
    });
    const isEmpty = sent === "" && !describedAs(operation).requestBody?.required;
    const isRight = isEmpty || (typeof body !== "string" && violations(body, described).length === 0);
    expect(status === 400).toBe(!isRight);
  });
});
