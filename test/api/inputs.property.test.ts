/** What clients of the API and of S3 may send: read, or refused with a status of theirs and one short line. */
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { parseBody, parseParameters } from "../../src/api/input.ts";
import { jsonSchema } from "../../src/api/json-schema.ts";
import { OPERATIONS } from "../../src/api/operations.ts";
import { ownerOf } from "../../src/bucket/companions.ts";
import { narKeySha256 } from "../../src/bucket/nar-object.ts";
import { narTarget } from "../../src/bucket/nar-target.ts";
import { formatPin, parsePin } from "../../src/catalog/pins/object.ts";
import type { Revision } from "../../src/catalog/rows/pins.ts";
import { oneOf, textUpTo, wholeNumber } from "../../src/contract/schema.ts";
import { contentLength } from "../../src/http/body.ts";
import { HttpError, oneLine } from "../../src/http/errors.ts";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { numberOf } from "../../src/s3/parameters.ts";
import { formatUploadId, parseUploadId } from "../../src/s3/upload-id.ts";
import { METADATA } from "../support/objects.ts";
import { violations } from "./schema.ts";

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

/** `undefined` for what is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
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

  const entries = {
    limit: v.exactOptional(wholeNumber(1, 1000), 50),
    q: v.exactOptional(textUpTo(211), ""),
    flag: v.exactOptional(oneOf(["a", "b"])),
  };

  test("are what they may be, or refused", async () => {
    await fc.assert(
      fc.asyncProperty(query, async (pairs) => {
        const url = `${ORIGIN}/api/v1/paths?${new URLSearchParams(pairs.map(([name, value]) => [name, value]))}`;
        const parameters = await refusing(() => parseParameters(entries, {}, url));
        if (parameters === undefined) return;
        const { limit, q, flag } = parameters;
        expect(Number.isInteger(limit) && limit >= 1 && limit <= 1000).toBe(true);
        expect(q.length).toBeLessThanOrEqual(211);
        expect(["a", "b", undefined]).toContain(flag);
      }),
      RUNS,
    );
  });

  test("any query is one", async () => {
    await fc.assert(
      fc.asyncProperty(text, (query) =>
        refusing(() => void parseParameters(entries, {}, `${ORIGIN}/?${query.toWellFormed()}`)),
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
  const bodies = OPERATIONS.flatMap(({ id, body }) => (body ? [[id, body] as const] : []));

  test.each(bodies)("of %s are what the description says, or refused", async (_, schema) => {
    const { examples: [example] = [] } = jsonSchema(schema);
    const names = Object.keys(schema.entries);
    const odd = fc.oneof(
      fc.constantFrom<unknown>(null, "", [""], [], 0, -1, 1.5, 1e9, "1", true, {}),
      fc.jsonValue(),
    );
    const likely = fc
      .dictionary(fc.oneof(fc.constantFrom(...names), fc.constantFrom("__proto__", "Force")), odd, {
        maxKeys: 2,
      })
      .map((changes) => JSON.stringify({ ...(example as object), ...changes }));
    const body = fc.oneof(
      likely,
      text,
      fc.constant('{"__proto__":1}'),
      fc.jsonValue().map((v) => JSON.stringify(v)),
    );
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const request = new Request(ORIGIN, { method: "POST", body: text });
        const parsed = await refusing(() => parseBody(request, schema, 16_384));
        const sent = text.trim() === "" ? {} : jsonOf(text);
        if (typeof sent !== "object" || sent === null || Array.isArray(sent)) {
          expect(parsed).toBeUndefined();
          return;
        }
        const faults = violations(sent, { ...jsonSchema(schema), additionalProperties: false });
        expect([parsed === undefined, faults]).toEqual([faults.length > 0, faults]);
      }),
      { numRuns: 300 },
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
      fc.asyncProperty(text, (text) => refusing(() => void narTarget(`nar/${text}`, true))),
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
