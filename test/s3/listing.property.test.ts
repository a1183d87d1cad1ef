/** Listings against an oracle: all keys that clients may see, in the order of their bytes, cut up as S3 does. */
import { reset } from "cloudflare:test";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cacheWith, store } from "../support/cache.ts";
import { HASH, OBJECTS } from "../support/objects.ts";
import { BUCKET, elementsOf, s3Client } from "../support/s3.ts";
import { elementOf } from "../support/upload.ts";

const s3 = s3Client(cacheWith());

/** With names that end or begin where a folder does, and letters beyond the plane that UTF-16 orders as UTF-8. */
const NARS = ["a", "a/b", "a/c/d", "a0", "a-", "a/", "b", "b/a", "b/a/c", "~", "\u{ff5e}", "\u{1f600}", "0"];
const VISIBLE = [...new Set([...OBJECTS.map(({ key }) => key), ...NARS.map((name) => `nar/${name}`)])].sort(
  byBytes,
);
const HIDDEN = [
  "uploads/x/nar/y",
  "pins/a",
  "other/nar/a",
  "mmm/a",
  "nar0",
  "nar",
  "zz",
  `${HASH}.txt`,
  "log0/a",
];

beforeAll(async () => {
  for (const key of [...VISIBLE, ...HIDDEN]) await store(key, "x");
});
afterAll(reset);

function byBytes(a: string, b: string): number {
  const [x, y] = [a, b].map((text) => new TextEncoder().encode(text).toHex());
  return (x ?? "") < (y ?? "") ? -1 : (x ?? "") > (y ?? "") ? 1 : 0;
}

interface Question {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
}

/** All entries: keys, and folders with their slash. */
function oracle({ prefix, delimiter, after }: Question): string[] {
  const entries = VISIBLE.filter((key) => key.startsWith(prefix) && byBytes(key, after) > 0).map((key) => {
    const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    return end < 0 ? key : key.slice(0, end + 1);
  });
  return [...new Set(entries)].filter((entry) => entry !== after || !entry.endsWith("/")).sort(byBytes);
}

const SOME = fc.oneof(
  fc.constantFrom("", ...VISIBLE, ...HIDDEN),
  fc.constantFrom(
    "nar/",
    "nar",
    "n",
    "log/",
    "nar/a/",
    "nar/b/",
    "nar/b/a/",
    "build-trace-v2/",
    "uploads/",
    "zzz",
    "0/",
  ),
  fc
    .tuple(fc.constantFrom(...VISIBLE), fc.nat(40))
    .map(([key, length]) => [...key].slice(0, length).join("")),
);
const QUESTION = fc.record({ prefix: SOME, delimiter: fc.constantFrom("", "/"), after: SOME });

const VERSIONS = [
  { version: "list-type=2", start: "start-after", next: "NextContinuationToken", more: "continuation-token" },
  { version: "encoding-type=url", start: "marker", next: "NextMarker", more: "marker" },
  { version: "versions", start: "key-marker", next: "NextKeyMarker", more: "key-marker" },
] as const;

async function pageOf(query: Record<string, string>, version: string) {
  const given = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const { status, text } = await s3("GET", BUCKET, {
    query: [...new Set([version, "encoding-type=url", ...given])].join("&"),
  });
  expect(status, text).toBe(200);
  const keys = elementsOf(text, "Key").map(decodeURIComponent);
  const folders = [...text.matchAll(/<CommonPrefixes><Prefix>([^<]*)/g)].map(([, name]) =>
    decodeURIComponent(name ?? ""),
  );
  return { entries: [...keys, ...folders].sort(byBytes), text };
}

describe.each(VERSIONS)("$version", ({ version, start, next, more }) => {
  test("one page, and page by page", async () => {
    await fc.assert(
      fc.asyncProperty(
        QUESTION,
        fc.integer({ min: 1, max: 5 }),
        async ({ prefix, delimiter, after }, max) => {
          const expected = oracle({ prefix, delimiter, after });
          const whole = { prefix, delimiter, [start]: after };
          expect((await pageOf(whole, version)).entries).toEqual(expected);
          const found: string[] = [];
          let query: Record<string, string> = { ...whole, "max-keys": String(max) };
          for (let page = 0; page <= expected.length; page++) {
            const { entries, text } = await pageOf(query, version);
            expect(entries.length).toBeLessThanOrEqual(max);
            found.push(...entries);
            const place = elementOf(text, next);
            expect(elementOf(text, "IsTruncated")).toBe(String(place !== undefined));
            if (place === undefined) break;
            query = { ...query, [more]: more === "continuation-token" ? place : decodeURIComponent(place) };
          }
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 30 },
    );
  });

  test.each(["nar/", "log/", "nar/a/", ""])("that starts after its own prefix %j", async (prefix) => {
    for (const delimiter of ["", "/"]) {
      const { entries } = await pageOf({ prefix, delimiter, [start]: prefix }, version);
      expect(entries).toEqual(oracle({ prefix, delimiter, after: prefix }));
      expect(entries.length).toBeGreaterThan(0);
    }
  });
});
