/** Checking any alleged S3 signature gives an answer. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { carriesSigV4 } from "../../../src/auth/sigv4/detect.ts";
import { HOST, NOW, OPTIONS, presigned, signed, UPLOAD, verifySigV4 } from "./signer.ts";

describe("garbage", () => {
  // ASCII only: the runtime complains of every other header in the tests' output.
  const garbage = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.string({ unit: "binary-ascii", maxLength: 20 }),
    fc.constantFrom(
      "",
      ";",
      ",",
      "=",
      "/",
      "%",
      "%zz",
      "host",
      "AWS4-HMAC-SHA256",
      "20261122T120000Z",
      "[",
      ":99999",
    ),
  );
  /** A valid text with a piece of it replaced. */
  const mutated = (text: string) =>
    fc
      .tuple(fc.nat(text.length), fc.nat(20), garbage)
      .map(([at, length, piece]) => text.slice(0, at) + piece + text.slice(at + length));

  async function isRefused(url: string, headers: Record<string, string>): Promise<void> {
    let request: Request;
    try {
      request = new Request(url, { headers });
    } catch {
      // The runtime itself refuses it: no such request arrives.
      return;
    }
    // Signed with no valid secret: none of this may pass, nor throw.
    const outcome = await verifySigV4(request, () => "nobody's", NOW);
    expect(outcome).toMatchObject({ ok: false, error: { status: expect.any(Number) } });
    expect(carriesSigV4(request)).toBeTypeOf("boolean");
  }

  test("in the headers", async () => {
    const { url, headers } = signed(UPLOAD, OPTIONS);
    const names = ["authorization", "host", "x-amz-date", "x-amz-content-sha256", "content-type", "x-amz-x"];
    const change = fc
      .constantFrom(...names)
      .chain((name) => fc.tuple(fc.constant(name), mutated(headers.get(name) ?? "")));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) =>
        isRefused(url, { ...Object.fromEntries(headers), ...Object.fromEntries(changes) }),
      ),
      { numRuns: 500 },
    );
  });

  test("in the query", async () => {
    const { url, headers } = presigned(UPLOAD, { ...OPTIONS, expires: 60 });
    const start = `https://${HOST}/`;
    await fc.assert(
      fc.asyncProperty(mutated(url.slice(start.length)), (rest) =>
        isRefused(start + rest, Object.fromEntries(headers)),
      ),
      { numRuns: 500 },
    );
  });

  test("in everything", async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(garbage, garbage), garbage, async (headers, query) => {
        await isRefused(`https://${HOST}/?${query}`, {
          ...headers,
          authorization: `AWS4-HMAC-SHA256 ${query}`,
        });
        await isRefused(`https://${HOST}/?X-Amz-Signature=${query}&X-Amz-Credential=${query}`, headers);
      }),
    );
  });
});
