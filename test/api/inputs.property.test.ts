/** What clients of the API and of S3 may send: read, or refused with a status of theirs and one short line. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flagIn, jsonBody, numberIn } from "../../src/api/body.ts";
import { formatCursor, parseCursor } from "../../src/api/cursor.ts";
import { countOf, flagOf, parametersOf, parsed, textOf, wordOf } from "../../src/api/parameters.ts";
import { parseExchange } from "../../src/auth/tokens/exchange.ts";
import { ownerOf } from "../../src/bucket/companions.ts";
import { narKeySha256, sha256OfNarKey } from "../../src/bucket/nar-object.ts";
import { formatPin, parsePin } from "../../src/catalog/pins/object.ts";
import type { Revision } from "../../src/catalog/rows/pins.ts";
import { contentLength } from "../../src/http/body.ts";
import { HttpError, oneLine } from "../../src/http/errors.ts";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { numberOf } from "../../src/s3/parameters.ts";
import { formatUploadId, parseUploadId } from "../../src/s3/upload-id.ts";
import { METADATA } from "../support/objects.ts";

const RUNS = { numRuns: 1000 };
const ORIGIN = "https://cache.example.org";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 100 }),
  fc.string({ maxLength: 100 }),
  fc.json(),
);
const number = fc.oneof(
  fc.constantFrom(
    "0",
    "1",
    "-1",
    "1e3",
    "0x10",
    " 1",
    "1 ",
    "",
    "007",
    "999999999",
    "1000000000",
    "NaN",
    "٣",
  ),
  fc.integer().map(String),
  text,
);

/** Runs it; what it throws must be a refusal that can be shown to the client. */
async function refusing<T>(run: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    expect(error).toBeInstanceOf(HttpError);
    const { status, message } = error as HttpError;
    expect([400, 403, 404, 413]).toContain(status);
    expect(message).not.toMatch(/undefined|\[object/);
    expect(oneLine(message).length).toBeLessThan(1024);
    return undefined;
  }
}

describe("parameters", () => {
  const query = fc.array(
    fc.tuple(fc.oneof(fc.constantFrom("limit", "q", "flag", "__proto__"), text), number),
    {
      maxLength: 4,
    },
  );

  test("are what they may be, or refused", async () => {
    await fc.assert(
      fc.asyncProperty(query, async (pairs) => {
        const url = `${ORIGIN}/api/v1/paths?${new URLSearchParams(pairs.map(([name, value]) => [name, value]))}`;
        await refusing(() => {
          const parameters = parametersOf(new Request(url), ["limit", "q", "flag"]);
          expect(parameters.size).toBe(pairs.length);
          expect(textOf(parameters, "q", 211).length).toBeLessThanOrEqual(211);
          const count = countOf(parameters, "limit", 1000, 50);
          expect(Number.isInteger(count) && count >= 1 && count <= 1000).toBe(true);
          expect([true, false, undefined]).toContain(flagOf(parameters, "flag"));
          expect(["a", "b", undefined]).toContain(wordOf(parameters, "q", ["a", "b"]));
          parsed(parameters, "q", parseCursor, "must be a cursor");
        });
      }),
      RUNS,
    );
  });

  test("any query is one", async () => {
    await fc.assert(
      fc.asyncProperty(text, (query) =>
        refusing(() => void parametersOf(new Request(`${ORIGIN}/?${query.toWellFormed()}`), ["q"])),
      ),
      RUNS,
    );
  });

  test("numbers of S3 are whole and not negative", async () => {
    await fc.assert(
      fc.asyncProperty(number, async (text) => {
        const count = await refusing(() => numberOf(new URLSearchParams([["n", text]]), "n", 7));
        if (count !== undefined) expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
      }),
      RUNS,
    );
  });

  test("a Content-Length is a number or refused", async () => {
    const header = number.filter((text) => !/[^\x20-\x7e]/.test(text));
    await fc.assert(
      fc.asyncProperty(header, async (text) => {
        const headers = new Headers({ "Content-Length": text });
        const length = await refusing(() => contentLength({ headers } as Request));
        if (length !== undefined) expect(Number.isSafeInteger(length) && length >= 0).toBe(true);
      }),
      RUNS,
    );
  });
});

describe("JSON bodies", () => {
  const likely = fc.record(
    { a: fc.oneof(fc.boolean(), fc.jsonValue()), n: fc.oneof(fc.nat(2000), fc.double(), fc.jsonValue()) },
    { requiredKeys: [] },
  );
  const body = fc.oneof(
    likely.map((value) => JSON.stringify(value)),
    text,
    fc.constant('{"__proto__":1}'),
  );

  test("are objects of known properties, or refused", async () => {
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        await refusing(async () => {
          const value = await jsonBody(new Request(ORIGIN, { method: "POST", body: text }), ["a", "n"], "so");
          expect(Object.keys(value).every((name) => name === "a" || name === "n")).toBe(true);
          expect(typeof flagIn(value, "a")).toBe("boolean");
          const number = numberIn(value, "n", 1000);
          if (number !== undefined)
            expect(Number.isInteger(number) && number >= 1 && number <= 1000).toBe(true);
        });
      }),
      RUNS,
    );
  });

  test("of an exchange grant no more than the identity has", async () => {
    const identity = {
      name: "job",
      credential: "oidc" as const,
      grants: [{ permissions: ["push" as const], caches: ["a"] }],
    };
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          body,
          fc.jsonValue().map((value) => `{"expires_in":${JSON.stringify(value)}}`),
        ),
        async (text) => {
          const content = await refusing(() => parseExchange(text, identity));
          if (content === undefined) return;
          expect(content.grants).toEqual(identity.grants);
          expect(Number.isInteger(content.expiresIn) && content.expiresIn > 0).toBe(true);
        },
      ),
      RUNS,
    );
  });

  test("of a companion, whatever is in them, name an owner or none", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...METADATA.map(({ key }) => key)),
        text,
        fc.jsonValue(),
        (key, text, value) => {
          for (const content of [text, JSON.stringify({ outPath: value, archive: value, value })]) {
            const owner = ownerOf(key, content);
            if (owner !== undefined) expect(owner).toMatch(/^[!-~]+$/);
          }
        },
      ),
      RUNS,
    );
  });
});

describe("names", () => {
  const hash = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(encodeNix32);

  test("a cursor is read as it was written, anything else is none", () => {
    fc.assert(
      fc.property(
        fc.nat(Number.MAX_SAFE_INTEGER - 1).map((time) => time % 1e15),
        hash,
        (firstPush, hash) => {
          expect(parseCursor(formatCursor({ firstPush, hash }))).toEqual({ firstPush, hash });
        },
      ),
    );
    fc.assert(
      fc.property(text, (text) => {
        const position = parseCursor(text);
        if (position !== undefined) expect(parseCursor(formatCursor(position))).toEqual(position);
      }),
      RUNS,
    );
  });

  test("an upload id is read as it was written, anything else is an upload that there is not", async () => {
    fc.assert(
      fc.property(fc.uuid(), fc.stringMatching(/^[\w+/=.~-]{1,200}$/), (id, r2Id) => {
        expect(parseUploadId(formatUploadId({ id, r2Id }))).toEqual({ id, r2Id });
      }),
    );
    await fc.assert(
      fc.asyncProperty(text, (text) => refusing(() => void parseUploadId(text))),
      RUNS,
    );
  });

  test("the name of a NAR is its SHA-256, anything else is refused", async () => {
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((array) => new Uint8Array(array));
    fc.assert(
      fc.property(bytes, fc.constantFrom("", ".xz", ".zst", ".bz2"), (bytes, ending) => {
        expect(narKeySha256(`nar/${encodeNix32(bytes)}.nar${ending}`)).toBe(bytes.toHex());
      }),
    );
    await fc.assert(
      fc.asyncProperty(text, (text) => refusing(() => void sha256OfNarKey(`nar/${text}`))),
      RUNS,
    );
  });

  test("a pin in the bucket is read as it was written, anything else is none", () => {
    const revision: fc.Arbitrary<Revision> = fc.record({
      hash,
      name: fc.stringMatching(/^[0-9a-z][0-9a-z.-]{0,20}$/),
      pinned: fc.nat(4_000_000_000_000),
      pinnedBy: fc.string(),
    });
    const keep = fc.record({ keepRevisions: fc.nat(1000), keepDays: fc.nat(1000) }, { requiredKeys: [] });
    fc.assert(
      fc.property(keep, fc.array(revision, { minLength: 1, maxLength: 4 }), (keep, revisions) => {
        expect(parsePin(formatPin(keep, revisions, "/nix/store"), "/nix/store")).toEqual({ keep, revisions });
      }),
    );
    fc.assert(
      fc.property(text, (text) => void parsePin(text, "/nix/store")),
      RUNS,
    );
  });
});
