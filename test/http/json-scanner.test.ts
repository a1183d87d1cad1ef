/** JSON before it is parsed: what JSON.parse accepts, how deep it is nested, and how many values it has. */
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { HttpError } from "../../src/http/errors.ts";
import { type JsonForm, JsonScanner, scanJson } from "../../src/http/json-scanner.ts";

const AMPLE = { depth: 100, values: 10_000 };
const bytes = (text: string) => new TextEncoder().encode(text);

/** What JSON.parse says. */
function expected(text: string): JsonForm {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? "object" : "other";
  } catch {
    return "malformed";
  }
}

function refusal(run: () => unknown): string {
  try {
    return String(run());
  } catch (error) {
    if (error instanceof HttpError) return `${error.status} ${error.message}`;
    throw error;
  }
}

const ODD = [
  ...[
    "",
    " ",
    "\n",
    "{}",
    "[]",
    "{}{}",
    "[][]",
    "{} {}",
    "null",
    "true",
    "false",
    "nul",
    "nulll",
    "truefalse",
  ],
  ...[
    "0",
    "-0",
    "00",
    "01",
    "-",
    "--1",
    "+1",
    "1.",
    ".1",
    "1.5",
    "-1.5e10",
    "1e",
    "1e+",
    "1e+1",
    "1E-2",
    "1e1.5",
  ],
  ...[
    "1 ",
    " 1",
    "1 2",
    "1,",
    "0x10",
    "NaN",
    "Infinity",
    "-Infinity",
    "1_000",
    "0e0",
    "0.0",
    "-0.0E+0",
    "0e",
    "1ee1",
  ],
  ...[
    '""',
    '"',
    '"a',
    '"\\"',
    '"\\""',
    '"\\\\"',
    '"\\u0000"',
    '"\\u00"',
    '"\\uD800"',
    '"\\u12G4"',
    '"\\x"',
    '"\\',
  ],
  ...[
    '"\t"',
    '"\n"',
    '"\u007f"',
    '"\u2028"',
    "'a'",
    '"ß"',
    '"\u{1f600}"',
    '"[[[[{{{{"',
    '"\\/\\b\\f\\n\\r\\t"',
  ],
  ...["[1]", "[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]", "[", "]", "[]]", "[[]", "[}", "{]", "[1}", '{"a":1]'],
  ...['{"a"}', '{"a":}', '{"a":1,}', '{,"a":1}', "{a:1}", "{1:1}", '{"a" 1}', '{"a"::1}', '{"a":1 "b":2}'],
  ...[
    '{"a":1,"a":2}',
    '{"":{}}',
    '{"a":[{"b":null}]}',
    ' {\r\n\t"a" : [ 1 , 2 ] } ',
    '{"a\\"b":1}',
    '{"a":"b":1}',
  ],
  ...[
    "\ufeff{}",
    "\u00a0{}",
    "{}\u0000",
    "\u0000",
    "\f1",
    "\v1",
    "//a\n1",
    "/**/1",
    "undefined",
    "{}x",
    "x{}",
  ],
  ...["tru", "t", "f", "n", "[tru]", "[true false]", "[truex]", "nUll", "[null,true,false]", "{null:1}"],
];

describe("is what JSON.parse says", () => {
  test.each(ODD)("%j", (text) => {
    expect(scanJson(bytes(text), AMPLE)).toBe(expected(text));
  });

  test("for anything, in whatever pieces it arrives", () => {
    const mutated = fc
      .tuple(
        fc.json(),
        fc.nat(200),
        fc.nat(3),
        fc.constantFrom("", "[", "}", '"', "\\", ",", ":", "1", "e", "-", " "),
      )
      .map(([json, at, length, text]) => json.slice(0, at) + text + json.slice(at + length));
    const text = fc.oneof(
      fc.json(),
      fc.json().map((json) => JSON.stringify(JSON.parse(json), null, 1)),
      mutated,
      fc.string(),
    );
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 7 }), (text, size) => {
        const whole = bytes(text.toWellFormed());
        const scanner = new JsonScanner(AMPLE);
        for (let at = 0; at < whole.length; at += size) scanner.push(whole.subarray(at, at + size));
        expect(scanner.end()).toBe(expected(text.toWellFormed()));
      }),
      { numRuns: 3000 },
    );
  });

  test.each([[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf8, 0x88, 0x80, 0x80, 0x80]])(
    "but for what is not UTF-8: %j",
    (...wrong) => {
      expect(scanJson(Uint8Array.of(0x22, ...wrong, 0x22), AMPLE)).toBe("not-utf8");
      expect(scanJson(Uint8Array.of(0x22, 0x22, ...wrong), AMPLE)).toBe("not-utf8");
    },
  );
});

describe("depth", () => {
  const nested = (depth: number, open = "[", close = "]") => open.repeat(depth) + close.repeat(depth);
  test.each([
    ["arrays", (depth: number) => nested(depth)],
    ["objects", (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`],
    ["both", (depth: number) => `${nested(depth).replace(/^\[/, '{"a":').replace(/\]$/, "}")}`],
    ["behind others", (depth: number) => `[[[]],[[]],${nested(depth - 1)}]`],
  ])("of %s is as large as the limit, not larger", (_, make) => {
    const limits = { depth: 10, values: 1000 };
    expect(scanJson(bytes(make(10)), limits)).not.toBe("malformed");
    expect(refusal(() => scanJson(bytes(make(11)), limits, "the listing"))).toBe(
      "400 the listing is JSON that is nested deeper than 10 levels, the limit",
    );
  });

  test.each([
    ["in texts", JSON.stringify({ ["[".repeat(50)]: "{[".repeat(50) })],
    ["in texts with escapes", JSON.stringify([`\\"${"[".repeat(50)}`, `"${"{".repeat(50)}\\`])],
    ["one after the other", `[${"[],".repeat(50)}{}]`],
  ])("does not count brackets %s", (_, text) => {
    expect(scanJson(bytes(text), { depth: 2, values: 100 })).toBe(expected(text));
  });
});

describe("values", () => {
  test.each([
    ["numbers", "1,"],
    ["empty arrays", "[],"],
    ["empty objects", "{},"],
    ["empty texts", '"",'],
    ["literals", "null,"],
  ])("%s", (_, item) => {
    const list = (count: number) => bytes(`[${item.repeat(count).slice(0, -1)}]`);
    const limits = { depth: 3, values: 11 };
    expect(scanJson(list(10), limits)).toBe("other");
    expect(refusal(() => scanJson(list(11), limits))).toBe(
      "413 the body has more than 11 JSON values, the limit",
    );
  });

  test("names of properties are none", () => {
    expect(scanJson(bytes('{"a":1,"b":2}'), { depth: 1, values: 3 })).toBe("object");
  });
});

test("8 MB of brackets, commas or escapes are refused without being parsed, those of brackets at once", () => {
  const parse = vi.spyOn(JSON, "parse");
  const size = 8 * 1024 * 1024;
  const limits = { depth: 16, values: 1000 };
  for (const [text, status] of [
    ["[".repeat(size), 400],
    ['{"a":'.repeat(size / 5), 400],
    [`[${"[],".repeat(size / 3)}1]`, 413],
    [`[${"1,".repeat(size / 2)}1]`, 413],
  ] as const) {
    const body = bytes(text);
    const begun = performance.now();
    expect(refusal(() => scanJson(body, limits))).toMatch(new RegExp(`^${status} .*the limit$`));
    expect(performance.now() - begun).toBeLessThan(1000);
  }
  expect(scanJson(bytes(`"${"\\\\".repeat(size / 2)}"`), limits)).toBe("other");
  expect(scanJson(bytes(" ".repeat(size)), limits)).toBe("malformed");
  expect(scanJson(bytes(`-${"1".repeat(size)}`), limits)).toBe("other");
  expect(parse).not.toHaveBeenCalled();
  parse.mockRestore();
});
