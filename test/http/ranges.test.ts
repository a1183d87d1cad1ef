/** Ranges of bytes, as RFC 9110 has them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contentRange, parseRange, rangeNotSatisfiable, resolveRange } from "../../src/http/ranges.ts";

const HUGE = "9".repeat(400);

describe("one range of bytes", () => {
  test.each([
    ["bytes=0-0", 10, "bytes 0-0/10"],
    ["bytes=0-4", 10, "bytes 0-4/10"],
    ["bytes=3-5", 10, "bytes 3-5/10"],
    ["bytes=9-9", 10, "bytes 9-9/10"],
    ["bytes=0-9", 10, "bytes 0-9/10"],
    ["bytes=0-10", 10, "bytes 0-9/10"],
    ["bytes=5-", 10, "bytes 5-9/10"],
    ["bytes=0-", 10, "bytes 0-9/10"],
    ["bytes=-1", 10, "bytes 9-9/10"],
    ["bytes=-10", 10, "bytes 0-9/10"],
    ["bytes=-11", 10, "bytes 0-9/10"],
    [`bytes=5-${HUGE}`, 10, "bytes 5-9/10"],
    [`bytes=-${HUGE}`, 10, "bytes 0-9/10"],
    ["bytes=00000000000000000000003-0005", 10, "bytes 3-5/10"],
    // Units are case-insensitive; white space is tolerated (RFC 9110, 14.1 and 5.6.1).
    ["BYTES=0-4", 10, "bytes 0-4/10"],
    [" bytes = 0 - 4 ", 10, "bytes 0-4/10"],
    ["bytes=4294967296-4294967297", 2 ** 33, "bytes 4294967296-4294967297/8589934592"],
  ])("%j of %d bytes is %j", (header, size, expected) => {
    const range = parseRange(header.trim());
    const part = range && resolveRange(range, size);
    expect(part && contentRange(part, size)).toBe(expected);
  });
});

describe("a range outside the object is 416 and tells the size", () => {
  test.each([
    ["bytes=10-", 10],
    ["bytes=10-20", 10],
    [`bytes=${HUGE}-`, 10],
    [`bytes=${HUGE}-${HUGE}`, 10],
    ["bytes=-0", 10],
    ["bytes=0-", 0],
    ["bytes=0-0", 0],
    ["bytes=-1", 0],
  ])("%j of %d bytes", (header, size) => {
    const range = parseRange(header);
    expect(range).toBeDefined();
    expect(range && resolveRange(range, size)).toBeUndefined();
    expect(rangeNotSatisfiable(size)).toMatchObject({
      status: 416,
      headers: { "Content-Range": `bytes */${size}` },
    });
  });
});

describe("what is ignored, so that the whole is sent (14.2)", () => {
  test.each([
    null,
    "",
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=0",
    "bytes=5-4",
    "bytes=0-4-5",
    "bytes=--5",
    "bytes=-5-",
    "bytes=+1-2",
    "bytes=1.5-2",
    "bytes=0x1-0x2",
    "bytes=1e1-",
    "bytes=0-4,6-8",
    "bytes=0-0,-1",
    "bytes=0-4,",
    "items=0-4",
    "bytes:0-4",
    "0-4",
    "none",
    "bytes=٣-٥",
  ])("%j", (header) => {
    expect(parseRange(header)).toBeUndefined();
  });
});

test("any range of any object is what slicing gives", () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, index) => index);
  const position = fc.option(fc.nat(60), { nil: undefined });
  fc.assert(
    fc.property(fc.nat(40), position, position, (size, first, last) => {
      const whole = bytes.subarray(0, size);
      const range = parseRange(`bytes=${first ?? ""}-${last ?? ""}`);
      const isValid = first === undefined ? last !== undefined : last === undefined || first <= last;
      expect(range !== undefined).toBe(isValid);
      if (range === undefined) return;
      const expected =
        first === undefined
          ? whole.subarray(Math.max(0, size - (last ?? 0)))
          : whole.subarray(first, (last ?? size) + 1);
      const part = resolveRange(range, size);
      expect(part && whole.subarray(part.offset, part.offset + part.length)).toEqual(
        expected.length === 0 ? undefined : expected,
      );
    }),
    { numRuns: 500 },
  );
});

test("any header and any size give a part inside the object, or none", () => {
  const header = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^bytes=[0-9, -]*$/));
  fc.assert(
    fc.property(header, fc.nat(), (text, size) => {
      const range = parseRange(text);
      const part = range && resolveRange(range, size);
      if (part === undefined) return;
      expect(part.offset).toBeGreaterThanOrEqual(0);
      expect(part.length).toBeGreaterThan(0);
      expect(part.offset + part.length).toBeLessThanOrEqual(size);
    }),
    { numRuns: 500 },
  );
});
