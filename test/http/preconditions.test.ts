/** Conditional requests, as RFC 9110 has them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluatePreconditions, hasPreconditions, ifRangeHolds } from "../../src/http/preconditions.ts";

const BEFORE = "Sat, 05 Nov 1994 08:49:37 GMT";
const AT = "Sun, 06 Nov 1994 08:49:37 GMT";
const AFTER = "Mon, 07 Nov 1994 08:49:37 GMT";
/** Half a second after AT: HTTP dates have whole seconds. */
const CURRENT = { etag: '"abc"', lastModified: new Date(Date.parse(AT) + 500) };
const WEAK = { ...CURRENT, etag: 'W/"abc"' };
/** A document that has no date of its own. */
const DATELESS = { etag: '"abc"' };

describe("one condition (RFC 9110, 13.1)", () => {
  test.each<[Record<string, string>, 200 | 304 | 412]>([
    [{}, 200],
    [{ "If-None-Match": '"abc"' }, 304],
    [{ "If-None-Match": 'W/"abc"' }, 304],
    [{ "If-None-Match": '"x", "abc"' }, 304],
    [{ "If-None-Match": '"x",W/"y" ,\t"abc","z"' }, 304],
    [{ "If-None-Match": '"a,b", "abc"' }, 304],
    [{ "If-None-Match": "*" }, 304],
    [{ "If-None-Match": " * " }, 304],
    [{ "If-None-Match": '"x"' }, 200],
    [{ "If-None-Match": '"ABC"' }, 200],
    [{ "If-None-Match": '"ab"' }, 200],
    [{ "If-None-Match": '"a", "b", "c"' }, 200],

    [{ "If-Match": '"abc"' }, 200],
    [{ "If-Match": '"x", "abc"' }, 200],
    [{ "If-Match": "*" }, 200],
    [{ "If-Match": '"x"' }, 412],
    [{ "If-Match": 'W/"abc"' }, 412],

    [{ "If-Modified-Since": BEFORE }, 200],
    [{ "If-Modified-Since": AT }, 304],
    [{ "If-Modified-Since": AFTER }, 304],
    [{ "If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT" }, 304],
    [{ "If-Modified-Since": "Sun Nov  6 08:49:37 1994" }, 304],

    [{ "If-Unmodified-Since": BEFORE }, 412],
    [{ "If-Unmodified-Since": AT }, 200],
    [{ "If-Unmodified-Since": AFTER }, 200],
  ])("%j is %d", (headers, status) => {
    expect(evaluatePreconditions(new Headers(headers), CURRENT)).toBe(status);
  });
});

describe("several conditions: their precedence (13.2.2)", () => {
  test.each<[Record<string, string>, 200 | 304 | 412]>([
    // If-None-Match hides If-Modified-Since.
    [{ "If-None-Match": '"x"', "If-Modified-Since": AFTER }, 200],
    [{ "If-None-Match": '"abc"', "If-Modified-Since": BEFORE }, 304],
    // If-Match hides If-Unmodified-Since.
    [{ "If-Match": '"abc"', "If-Unmodified-Since": BEFORE }, 200],
    [{ "If-Match": '"x"', "If-Unmodified-Since": AFTER }, 412],
    // 412 comes before 304.
    [{ "If-Match": '"x"', "If-None-Match": '"abc"' }, 412],
    [{ "If-Match": '"abc"', "If-None-Match": '"abc"' }, 304],
    [{ "If-Unmodified-Since": BEFORE, "If-None-Match": '"abc"' }, 412],
    [{ "If-Unmodified-Since": AFTER, "If-Modified-Since": AFTER }, 304],
    [{ "If-Match": '"abc"', "If-None-Match": '"x"' }, 200],
  ])("%j is %d", (headers, status) => {
    expect(evaluatePreconditions(new Headers(headers), CURRENT)).toBe(status);
  });
});

describe("malformed ones", () => {
  test.each<[Record<string, string>, 200 | 412]>([
    // An entity tag has quotes; what has none matches nothing.
    [{ "If-None-Match": "abc" }, 200],
    [{ "If-None-Match": "" }, 200],
    [{ "If-None-Match": '"abc' }, 200],
    [{ "If-None-Match": "'abc'" }, 200],
    [{ "If-None-Match": 'w/"x"' }, 200],
    [{ "If-Match": "abc" }, 412],
    [{ "If-Match": "" }, 412],
    [{ "If-Match": '"' }, 412],
    // An invalid date is ignored (13.1.3, 13.1.4).
    [{ "If-Modified-Since": "yesterday" }, 200],
    [{ "If-Modified-Since": "" }, 200],
    [{ "If-Modified-Since": "784111777" }, 200],
    [{ "If-Modified-Since": "1994-11-06" }, 200],
    [{ "If-Modified-Since": "Sun, 99 Nov 1994 99:99:99 GMT" }, 200],
    [{ "If-Modified-Since": `${AT}, ${AT}` }, 200],
    [{ "If-Unmodified-Since": "yesterday" }, 200],
    [{ "If-Unmodified-Since": "Sun, 99 Nov 1994 99:99:99 GMT" }, 200],
  ])("%j is %d", (headers, status) => {
    expect(evaluatePreconditions(new Headers(headers), CURRENT)).toBe(status);
  });
});

describe("a weak tag of ours", () => {
  test.each<[Record<string, string>, 200 | 304 | 412]>([
    [{ "If-None-Match": '"abc"' }, 304],
    [{ "If-None-Match": 'W/"abc"' }, 304],
    [{ "If-Match": '"abc"' }, 412],
    [{ "If-Match": 'W/"abc"' }, 412],
    [{ "If-Match": "*" }, 200],
  ])("%j is %d", (headers, status) => {
    expect(evaluatePreconditions(new Headers(headers), WEAK)).toBe(status);
  });
});

test.each([
  { "If-Modified-Since": AFTER },
  { "If-Modified-Since": "Mon, 07 Nov 2094 08:49:37 GMT" },
  { "If-Unmodified-Since": BEFORE },
])("%j is ignored where there is no modification date (13.1.3, 13.1.4)", (headers) => {
  expect(evaluatePreconditions(new Headers(headers), DATELESS)).toBe(200);
});

describe("If-Range lets a range through only where nothing has changed (13.1.5)", () => {
  test.each<[string | undefined, boolean]>([
    [undefined, true],
    ['"abc"', true],
    ['"x"', false],
    ['W/"abc"', false],
    ["abc", false],
    ["*", false],
    ["", false],
    ['"abc", "x"', false],
    [AT, true],
    [BEFORE, false],
    [AFTER, false],
    ["yesterday", false],
  ])("%j: %j", (value, holds) => {
    const headers = new Headers(value === undefined ? {} : { "If-Range": value });
    expect(ifRangeHolds(headers, CURRENT)).toBe(holds);
  });

  test("never by a weak tag, nor by a date where there is none", () => {
    expect(ifRangeHolds(new Headers({ "If-Range": 'W/"abc"' }), WEAK)).toBe(false);
    expect(ifRangeHolds(new Headers({ "If-Range": AT }), DATELESS)).toBe(false);
  });
});

test("any header values give one of the three answers", () => {
  const value = fc.oneof(
    fc.string({ unit: fc.constantFrom('"', "W", "/", "*", ",", " ", "a", "b", "c") }),
    fc.string(),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    fc.constantFrom('"abc"', AT, BEFORE, AFTER),
  );
  const name = fc.constantFrom(
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "If-Range",
  );
  const some = fc.dictionary(name, value, { noNullPrototype: true });
  fc.assert(
    fc.property(some, fc.constantFrom(CURRENT, WEAK, DATELESS), (values, current) => {
      const headers = new Headers(values);
      const status = evaluatePreconditions(headers, current);
      expect([200, 304, 412]).toContain(status);
      if (!hasPreconditions(headers)) expect(status).toBe(200);
      expect(typeof ifRangeHolds(headers, current)).toBe("boolean");
    }),
    { numRuns: 2000 },
  );
});
