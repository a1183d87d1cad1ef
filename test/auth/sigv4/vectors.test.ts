// The examples of AWS's documentation, with the signatures printed there.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, sigv4-query-string-auth.html,
// sigv4-streaming.html and sigv4-streaming-trailers.html
import { describe, expect, test } from "vitest";
import { SCOPE, SECRETS, streamingRequest, TIME } from "./examples.ts";
import { verifySigV4 } from "./signer.ts";

const BUCKET = "https://examplebucket.s3.amazonaws.com";
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

function request(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
  signedHeaders: string,
  signature: string,
): Request {
  return new Request(BUCKET + target, {
    method,
    headers: {
      ...headers,
      "x-amz-date": "20130524T000000Z",
      Authorization: `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/${SCOPE},SignedHeaders=${signedHeaders},Signature=${signature}`,
    },
  });
}

const BASIC = "host;x-amz-content-sha256;x-amz-date";

describe("examples of the S3 documentation", () => {
  test.each([
    {
      name: "GET Object",
      request: request(
        "GET",
        "/test.txt",
        { Range: "bytes=0-9", "x-amz-content-sha256": EMPTY },
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
      ),
      sha256: EMPTY,
    },
    {
      name: "PUT Object",
      request: request(
        "PUT",
        "/test%24file.text",
        {
          Date: "Fri, 24 May 2013 00:00:00 GMT",
          "x-amz-storage-class": "REDUCED_REDUNDANCY",
          "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        },
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
      ),
      sha256: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    },
    {
      name: "GET Bucket Lifecycle",
      request: request(
        "GET",
        "/?lifecycle",
        { "x-amz-content-sha256": EMPTY },
        BASIC,
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
      ),
      sha256: EMPTY,
    },
    {
      name: "Get Bucket (List Objects)",
      request: request(
        "GET",
        "/?max-keys=2&prefix=J",
        { "x-amz-content-sha256": EMPTY },
        BASIC,
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
      ),
      sha256: EMPTY,
    },
  ])("$name", async ({ request, sha256 }) => {
    expect(await verifySigV4(request, SECRETS, TIME)).toEqual({
      ok: true,
      accessKey: "AKIAIOSFODNN7EXAMPLE",
      sessionToken: undefined,
      payload: { form: "sha256", sha256 },
    });
  });

  test("pre-signed GET Object", async () => {
    const url = `${BUCKET}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404`;
    const at = (time: number) => verifySigV4(new Request(url), SECRETS, time);
    expect(await at(TIME + 86_400_000)).toMatchObject({ ok: true, payload: { form: "unsigned" } });
    expect(await at(TIME + 86_400_001)).toMatchObject({ error: { code: "AccessDenied" } });
  });

  test.each([
    ["PUT Object in chunks", false, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"],
    ["PUT Object with a trailer", true, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"],
  ])("%s: the seed signature", async (_, trailer, seedSignature) => {
    expect(await verifySigV4(streamingRequest(trailer), SECRETS, TIME)).toMatchObject({
      ok: true,
      payload: {
        form: "streaming",
        trailer,
        signing: { seedSignature, datetime: "20130524T000000Z", scope: SCOPE },
      },
    });
  });
});
