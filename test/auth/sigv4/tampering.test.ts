/** Signed requests and pre-signed URLs that were tampered with are refused. */
import { describe, expect, test } from "vitest";
import {
  altered,
  amzDate,
  type Change,
  codeOf,
  HOST,
  NOW,
  OPTIONS,
  presigned,
  SECRET,
  sha256,
  signed,
  UPLOAD,
  verified,
  verifyNow,
  verifySigV4,
} from "./signer.ts";

const MINUTE = 60_000;

describe("a signed request that was tampered with", () => {
  const original = signed(UPLOAD, OPTIONS);
  const authorization = original.headers.get("Authorization") ?? "";
  const without = (text: string | RegExp, by = "") => ({ Authorization: authorization.replace(text, by) });
  const mismatch = "SignatureDoesNotMatch";
  const malformed = "AuthorizationHeaderMalformed";

  test.each<[string, Change, string]>([
    ["another method", { method: "POST" }, mismatch],
    ["another path", { url: (url) => url.replace("/nar/", "/log/") }, mismatch],
    ["another case of the path", { url: (url) => url.replace("/nar/", "/Nar/") }, mismatch],
    ["a plus for a blank", { url: (url) => url.replace("a%2Bb", "a%20b") }, mismatch],
    ["a path that was encoded twice", { url: (url) => url.replace("%2B", "%252B") }, mismatch],
    ["another value in the query", { url: (url) => url.replace("partNumber=1", "partNumber=2") }, mismatch],
    ["another name in the query", { url: (url) => url.replace("partNumber", "partnumber") }, mismatch],
    ["one parameter less", { url: (url) => url.replace("partNumber=1&", "") }, mismatch],
    ["one parameter more", { url: (url) => `${url}&a` }, mismatch],
    ["a parameter again", { url: (url) => `${url}&partNumber=2` }, "InvalidArgument"],
    ["a parameter again, encoded", { url: (url) => `${url}&part%4eumber=2` }, "InvalidArgument"],
    ["a parameter without a name", { url: (url) => `${url}&=2` }, "InvalidArgument"],
    ["another host", { headers: { host: "other.example.org" } }, mismatch],
    ["another port", { headers: { host: `${HOST}:8443` } }, mismatch],
    ["a host with a path", { headers: { host: `${HOST}/x` } }, "InvalidRequest"],
    ["a host with a user", { headers: { host: `a@${HOST}` } }, "InvalidRequest"],
    ["another value of a signed header", { headers: { "content-type": "text/html" } }, mismatch],
    ["a signed header missing", { headers: { "content-type": null } }, mismatch],
    ["another x-amz header", { headers: { "x-amz-acl": "public-read" } }, "AccessDenied"],
    ["another hash of the body", { headers: { "x-amz-content-sha256": sha256("other") } }, mismatch],
    ["no hash of the body", { headers: { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } }, mismatch],
    ["the hash of the body missing", { headers: { "x-amz-content-sha256": null } }, "InvalidRequest"],
    ["another second", { headers: { "x-amz-date": amzDate(NOW + 1000) } }, mismatch],
    ["another day", { headers: { "x-amz-date": amzDate(NOW + 24 * 60 * MINUTE) } }, malformed],
    ["the date missing", { headers: { "x-amz-date": null } }, "AccessDenied"],
    ["no date", { headers: { "x-amz-date": "Sun, 22 Nov 2026 12:00:00 GMT" } }, malformed],
    ["a day that does not exist", { headers: { "x-amz-date": "20261131T000000Z" } }, malformed],
    ["a session token", { headers: { "x-amz-security-token": "a" } }, "AccessDenied"],
    ["another access key", { headers: without("Credential=push", "Credential=pull") }, "InvalidAccessKeyId"],
    ["another region", { headers: without("/auto/", "/us-east-1/") }, mismatch],
    ["another service", { headers: without("/s3/", "/sqs/") }, malformed],
    ["another day in the credential", { headers: without("20261122/", "20261121/") }, malformed],
    ["another end of the credential", { headers: without("aws4_request", "aws5_request") }, malformed],
    ["another signature", { headers: without(/[0-9a-f]{64}$/, sha256("")) }, mismatch],
    ["a cut signature", { headers: without(/.$/) }, malformed],
    ["no signature", { headers: without(/, Signature=.*$/) }, malformed],
    ["two signatures", { headers: without(/$/, `, Signature=${sha256("")}`) }, malformed],
    ["no credential", { headers: without(/Credential=[^,]*, /) }, malformed],
    ["a signed header less", { headers: without("content-type;") }, mismatch],
    ["a signed header more", { headers: without("content-type;", "content-md5;content-type;") }, mismatch],
    ["the host not signed", { headers: without("host;") }, "AccessDenied"],
    ["an x-amz header not signed", { headers: without(";x-amz-meta-a") }, "AccessDenied"],
    [
      "signed headers out of order",
      { headers: without("content-type;host", "host;content-type") },
      malformed,
    ],
    ["a signed header twice", { headers: without("host;", "host;host;") }, malformed],
    ["signed headers in upper case", { headers: without("host;", "Host;") }, malformed],
    ["no name for a header", { headers: without("host;", "host;h st;") }, malformed],
    ["another algorithm", { headers: without("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256") }, malformed],
    ["Basic", { headers: { Authorization: "Basic cHVzaDpzZWNyZXQ=" } }, malformed],
    ["no Authorization", { headers: { Authorization: null } }, malformed],
    [
      "a signature in the query as well",
      { url: (url) => `${url}&X-Amz-Signature=${sha256("")}` },
      "InvalidArgument",
    ],
  ])("%s", async (_, change, code) => {
    expect(await verified(original)).toBe("ok");
    expect(await verified(altered(original, change))).toBe(code);
  });

  test("a wrong secret, an empty one, and nobody's", async () => {
    expect(await verified(signed(UPLOAD, { ...OPTIONS, secret: "guessed" }))).toBe(mismatch);
    const withoutSecret = signed(UPLOAD, { ...OPTIONS, secret: "" });
    expect(codeOf(await verifySigV4(withoutSecret, () => "", NOW))).toBe("InvalidAccessKeyId");
    expect(codeOf(await verifySigV4(original, () => undefined, NOW))).toBe("InvalidAccessKeyId");
  });

  test.each([
    [15 * MINUTE, "ok"],
    [15 * MINUTE + 1, "RequestTimeTooSkewed"],
    [-15 * MINUTE, "ok"],
    [-15 * MINUTE - 1, "RequestTimeTooSkewed"],
    [365 * 24 * 60 * MINUTE, "RequestTimeTooSkewed"],
  ])("%d ms later: %s", async (age, code) => {
    expect(await verified(original, NOW + age)).toBe(code);
  });

  test("refusals have a status and tell no secret", async () => {
    const outcome = await verifyNow(signed(UPLOAD, { ...OPTIONS, secret: "guessed" }));
    expect(outcome).toMatchObject({ ok: false, error: { status: 403 } });
    expect(JSON.stringify(outcome) + String(outcome.ok || outcome.error.message)).not.toContain(SECRET);
  });
});

describe("a pre-signed URL that was tampered with", () => {
  const original = presigned(UPLOAD, { ...OPTIONS, expires: 3600 });
  const replaced = (from: string | RegExp, to: string) => ({ url: (url: string) => url.replace(from, to) });
  const mismatch = "SignatureDoesNotMatch";
  const malformed = "AuthorizationQueryParametersError";

  test.each<[string, Change, string]>([
    ["another method", { method: "DELETE" }, mismatch],
    ["another path", replaced("/nar/", "/log/"), mismatch],
    ["another value", replaced("partNumber=1", "partNumber=2"), mismatch],
    ["a parameter more", replaced(/$/, "&x=1"), mismatch],
    ["a parameter twice", replaced(/$/, "&X-Amz-Expires=604800"), "InvalidArgument"],
    ["a longer life", replaced("X-Amz-Expires=3600", "X-Amz-Expires=7200"), mismatch],
    ["another hash of the body", replaced(sha256("body"), sha256("other")), mismatch],
    ["any body", replaced(sha256("body"), "UNSIGNED-PAYLOAD"), mismatch],
    ["another second", replaced(amzDate(NOW), amzDate(NOW - 1000)), mismatch],
    ["another region", replaced("%2Fauto%2F", "%2Fwnam%2F"), mismatch],
    ["another access key", replaced("push%2F", "pull%2F"), "InvalidAccessKeyId"],
    ["another day in the credential", replaced("20261122%2F", "20261121%2F"), malformed],
    ["another service", replaced("%2Fs3%2F", "%2Fsqs%2F"), malformed],
    ["another algorithm", replaced("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), malformed],
    ["no algorithm", replaced(/&X-Amz-Algorithm=[^&]*/, ""), malformed],
    ["no credential", replaced(/&X-Amz-Credential=[^&]*/, ""), malformed],
    ["no date", replaced(/&X-Amz-Date=[^&]*/, ""), malformed],
    ["no life", replaced(/&X-Amz-Expires=[^&]*/, ""), malformed],
    ["no signed headers", replaced(/&X-Amz-SignedHeaders=[^&]*/, ""), malformed],
    ["a life of 0", replaced("X-Amz-Expires=3600", "X-Amz-Expires=0"), malformed],
    ["a negative life", replaced("X-Amz-Expires=3600", "X-Amz-Expires=-1"), malformed],
    ["more than a week", replaced("X-Amz-Expires=3600", "X-Amz-Expires=604801"), malformed],
    ["a long life", replaced("X-Amz-Expires=3600", "X-Amz-Expires=1e9"), malformed],
    ["an empty signature", replaced(/X-Amz-Signature=\w+/, "X-Amz-Signature="), malformed],
    ["another signature", replaced(/X-Amz-Signature=\w+/, `X-Amz-Signature=${sha256("")}`), mismatch],
    ["another x-amz header", { headers: { "x-amz-acl": "public-read" } }, "AccessDenied"],
    ["another value of a header", { headers: { "content-type": "text/html" } }, mismatch],
    ["a header missing", { headers: { "x-amz-meta-a": null } }, mismatch],
    [
      "a hash of the body that was not signed",
      { headers: { "x-amz-content-sha256": sha256("") } },
      "AccessDenied",
    ],
    ["an Authorization as well", { headers: { Authorization: "Basic cHVzaDpzZWNyZXQ=" } }, "InvalidArgument"],
  ])("%s", async (_, change, code) => {
    expect(await verified(original)).toBe("ok");
    expect(await verified(altered(original, change))).toBe(code);
  });

  test.each([
    [-15 * MINUTE - 1, "AccessDenied"],
    [-15 * MINUTE, "ok"],
    [3_600_000, "ok"],
    [3_600_001, "AccessDenied"],
  ])("%d ms later: %s", async (age, code) => {
    expect(await verified(original, NOW + age)).toBe(code);
  });

  test("a week is the longest life", async () => {
    const url = presigned(UPLOAD, { ...OPTIONS, expires: 604_800 });
    expect(await verified(url, NOW + 604_800_000)).toBe("ok");
  });
});
