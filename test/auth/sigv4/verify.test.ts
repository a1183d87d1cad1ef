/** Correctly signed S3 requests are accepted, in spite of the platform's changes on the way. */
import { AwsClient } from "aws4fetch";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { carriesSigV4 } from "../../../src/auth/sigv4/detect.ts";
import {
  ACCESS_KEY,
  altered,
  amzDate,
  HOST,
  NOW,
  OPTIONS,
  presigned,
  SECRET,
  sha256,
  signed,
  type Unsigned,
  UPLOAD,
  verified,
  verifyNow,
  verifySigV4,
} from "./signer.ts";

test("a signature is looked for where it can be", () => {
  expect(carriesSigV4(signed(UPLOAD, OPTIONS))).toBe(true);
  expect(carriesSigV4(presigned(UPLOAD, { ...OPTIONS, expires: 60 }))).toBe(true);
  expect(carriesSigV4(new Request("https://a/b?c"))).toBe(false);
  expect(carriesSigV4(new Request("https://a/b", { headers: { Authorization: "Basic AAAA" } }))).toBe(false);
});

describe("what is signed rightly", () => {
  test("gives the access key and the form of the body", async () => {
    expect(await verifyNow(signed(UPLOAD, OPTIONS))).toEqual({
      ok: true,
      accessKey: ACCESS_KEY,
      sessionToken: undefined,
      payload: { form: "sha256", sha256: sha256("body") },
    });
    expect(await verifyNow(presigned(UPLOAD, { ...OPTIONS, expires: 60 }))).toMatchObject({
      ok: true,
      payload: { form: "sha256", sha256: sha256("body") },
    });
  });

  test.each<[string, Unsigned]>([
    ["the root", { method: "GET", host: HOST, path: "/" }],
    ["an empty value", { method: "POST", host: HOST, path: "/b/k", query: [["uploads", ""]] }],
    ["a question mark in the path", { method: "GET", host: HOST, path: "/b/log/a?b.drv" }],
    [
      "a plus and its kin in the path",
      { method: "GET", host: HOST, path: "/b/nar/a+b!c=d'e(f)*g:h@i&j,k;l$" },
    ],
    ["a percent sign in the path", { method: "GET", host: HOST, path: "/b/100%25" }],
    ["two slashes", { method: "GET", host: HOST, path: "/b//k" }],
    ["letters outside ASCII", { method: "GET", host: HOST, path: "/b/ü€𝄞", query: [["prefix", "ü"]] }],
    ["a port", { method: "GET", host: "localhost:8787", path: "/b" }],
    ["a default port", { method: "GET", host: `${HOST}:443`, path: "/b" }],
    ["the other default port", { method: "GET", host: `${HOST}:80`, path: "/b" }],
    [
      "blanks inside a header",
      { method: "GET", host: HOST, path: "/b", headers: { "x-amz-meta-a": "b   c    d" } },
    ],
    [
      "a range",
      { method: "GET", host: HOST, path: "/b", headers: { range: "bytes=0-9", "user-agent": "x" } },
    ],
    ["a delete", { method: "DELETE", host: HOST, path: "/b/k", query: [["uploadId", "a.b"]] }],
    ["a head", { method: "HEAD", host: HOST, path: "/b/k" }],
    [
      "parameters out of order",
      {
        method: "GET",
        host: HOST,
        path: "/b",
        query: [
          ["z", "1"],
          ["a-", "2"],
          ["a", "3"],
          ["A", "4"],
        ],
      },
    ],
  ])("%s", async (_, unsigned) => {
    expect(await verified(signed(unsigned, OPTIONS))).toBe("ok");
    expect(await verified(presigned(unsigned, { ...OPTIONS, expires: 60 }))).toBe("ok");
  });

  test("a parameter without '=' is one with an empty value", async () => {
    const request = signed({ method: "POST", host: HOST, path: "/b/k", query: [["uploads", ""]] }, OPTIONS);
    const bare = altered(request, { url: (url) => url.replace("?uploads=", "?uploads") });
    expect(bare.url).toMatch(/\?uploads$/);
    expect(await verified(bare)).toBe("ok");
  });

  test.each(["nar/c++.nar", "realisations/sha256:abc!out.doi", "log/a=b'(c)*d@e:$&,;~.drv"])(
    "curl signs the path as it sends it: %s",
    async (path) => {
      const unsigned = { method: "PUT", host: HOST, path: `/nix-cache/${path}` };
      expect(await verified(signed(unsigned, { ...OPTIONS, rawPath: true }))).toBe("ok");
    },
  );

  test("any region, and a session token", async () => {
    const seen: (string | undefined)[] = [];
    for (const request of [
      signed(UPLOAD, { ...OPTIONS, region: "eu-central-1", sessionToken: "to/k+en==" }),
      presigned(UPLOAD, { ...OPTIONS, region: "wnam", sessionToken: "to/k+en==", expires: 60 }),
    ]) {
      const secretOfToken = (_: string, token: string | undefined) => {
        seen.push(token);
        return SECRET;
      };
      const outcome = await verifySigV4(request, secretOfToken, NOW);
      expect(outcome).toMatchObject({ ok: true, sessionToken: "to/k+en==" });
    }
    expect(seen).toEqual(["to/k+en==", "to/k+en=="]);
  });

  test("the fields of the header may have no blanks between", async () => {
    const request = signed(UPLOAD, OPTIONS);
    const Authorization = (request.headers.get("Authorization") ?? "").replaceAll(", ", ",");
    expect(await verified(altered(request, { headers: { Authorization } }))).toBe("ok");
  });

  test.each(["GET", "PUT"])("%s signed by aws4fetch, in the header and in the query", async (method) => {
    const client = new AwsClient({
      accessKeyId: ACCESS_KEY,
      secretAccessKey: SECRET,
      service: "s3",
      region: "auto",
    });
    const url = `https://${HOST}/nix-cache/nar/a%2Bb?partNumber=1&x=a%20b&uploads`;
    for (const signQuery of [false, true]) {
      const request = await client.sign(url, { method, aws: { signQuery, datetime: amzDate(NOW) } });
      expect(await verified(request)).toBe("ok");
    }
  });

  test("any path, query and header", async () => {
    const text = fc.string({ unit: "binary", maxLength: 12 });
    // What the URL parser would fold never reaches a handler: src/http/path.ts.
    const segment = text.filter((segment) => segment !== "." && segment !== "..");
    const unsigned = fc.record({
      method: fc.constantFrom("GET", "PUT", "POST", "DELETE", "HEAD"),
      host: fc.constant(HOST),
      path: fc.array(segment, { maxLength: 4 }).map((segments) => `/nix-cache/${segments.join("/")}`),
      query: fc.uniqueArray(fc.tuple(fc.string({ unit: "binary", minLength: 1, maxLength: 8 }), text), {
        maxLength: 5,
        selector: ([name]) => name,
      }),
      headers: fc.dictionary(
        fc.stringMatching(/^x-[a-z]{1,8}$/),
        fc.stringMatching(/^[\x21-\x7e]( {0,3}[\x21-\x7e]){0,5}$/),
        { maxKeys: 3 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(unsigned, async (unsigned) => {
        expect(await verified(signed(unsigned, OPTIONS))).toBe("ok");
        expect(await verified(presigned(unsigned, { ...OPTIONS, expires: 60 }))).toBe("ok");
      }),
      { numRuns: 50 },
    );
  });
});

describe("what the platform changes on the way", () => {
  const unsigned = { method: "GET", host: HOST, path: "/b/k", headers: { "accept-encoding": "identity" } };

  test("the Accept-Encoding that the client sent is in request.cf", async () => {
    const request = altered(signed(unsigned, OPTIONS), { headers: { "accept-encoding": "br, gzip" } });
    expect(await verified(request)).toBe("SignatureDoesNotMatch");
    const cf = { clientAcceptEncoding: "identity" } as unknown as CfProperties;
    expect(await verified(new Request(request, { cf }))).toBe("ok");
  });

  test("a HEAD arrives as a GET, but a pre-signed one does not become a GET", async () => {
    const head = { ...unsigned, method: "HEAD" };
    expect(await verified(altered(signed(head, OPTIONS), { method: "GET" }))).toBe("ok");
    const url = presigned(head, { ...OPTIONS, expires: 60 });
    expect(await verified(url)).toBe("ok");
    expect(await verified(altered(url, { method: "GET" }))).toBe("SignatureDoesNotMatch");
    expect(await verified(altered(signed(unsigned, OPTIONS), { method: "HEAD" }))).toBe(
      "SignatureDoesNotMatch",
    );
  });

  test("a Content-Length of 0 and an Expect are dropped", async () => {
    const headers = { "content-length": "0", expect: "100-continue" };
    const request = signed({ method: "POST", host: HOST, path: "/b/k", headers }, OPTIONS);
    const received = altered(request, { headers: { "content-length": null, expect: null } });
    expect(await verified(received)).toBe("ok");
  });
});

describe("the form of the body", () => {
  test.each([
    ["UNSIGNED-PAYLOAD", { form: "unsigned" }],
    ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", { form: "streaming", trailer: true, signing: undefined }],
    ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", { form: "streaming", trailer: false }],
    ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", { form: "streaming", trailer: true }],
  ])("%s", async (payloadHash, payload) => {
    expect(await verifyNow(signed({ ...UPLOAD, payloadHash }, OPTIONS))).toMatchObject({ ok: true, payload });
  });

  test.each([
    ["STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented"],
    ["STREAMING-SOMETHING", "InvalidArgument"],
    ["", "InvalidArgument"],
    [sha256("body").toUpperCase(), "InvalidArgument"],
  ])("%s is refused", async (payloadHash, code) => {
    expect(await verified(signed({ ...UPLOAD, payloadHash }, OPTIONS))).toBe(code);
  });
});
