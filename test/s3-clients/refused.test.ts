// Signatures that are wrong, over real HTTP: refused, and nothing is stored.
import { createHash } from "node:crypto";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { AwsV4Signer } from "aws4fetch";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serve } from "../real-nix/serve.ts";
import { MIB, makeNoise } from "./noise.ts";
import { BUCKET, newS3 } from "./s3.ts";

describe("refused, and nothing is stored", () => {
  const server = serve({ PUSH_TOKEN: "push-token" });
  let s3: S3Client;

  beforeAll(() => {
    s3 = newS3(server.url, "push-token");
  });
  afterAll(() => s3.destroy());

  const { bytes, key, part } = makeNoise(MIB);
  const body = part(0, bytes);

  test.each([
    ["a wrong secret", { secretAccessKey: "push-tokem" }, "SignatureDoesNotMatch"],
    ["an access key whose token is another", { accessKeyId: "pull" }, "InvalidAccessKeyId"],
    [
      "any access key with a wrong secret",
      { accessKeyId: "nix", secretAccessKey: "x" },
      "SignatureDoesNotMatch",
    ],
    ["a stale date", { datetime: amzDate(Date.now() - 16 * 60_000) }, "RequestTimeTooSkewed"],
    ["a date to come", { datetime: amzDate(Date.now() + 16 * 60_000) }, "RequestTimeTooSkewed"],
  ])("%s", async (_, wrong, code) => {
    const { url, headers } = await sign(`/${BUCKET}/${key}`, body, wrong);
    await expectRefusal(await fetch(url, { method: "PUT", headers, body }), 403, code);
    expect((await fetch(`${server.url}/${key}`)).status).toBe(404);
  });

  test("a tampered signature, key, or payload hash", async () => {
    const { url, headers } = await sign(`/${BUCKET}/${key}`, body);
    const other = makeNoise(MIB);
    const authorization = headers.get("authorization") ?? "";
    const lastDigit = authorization.endsWith("0") ? "1" : "0";
    for (const [target, changed] of [
      [url, { authorization: authorization.slice(0, -1) + lastDigit }],
      [`${server.url}/${BUCKET}/${other.key}`, {}],
      [url, { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" }],
    ] as const) {
      const tampered = { ...Object.fromEntries(headers), ...changed };
      const answer = await fetch(target, { method: "PUT", headers: tampered, body });
      await expectRefusal(answer, 403, "SignatureDoesNotMatch");
    }
    expect((await fetch(`${server.url}/${key}`)).status).toBe(404);
    expect((await fetch(`${server.url}/${other.key}`)).status).toBe(404);
    expect((await fetch(url, { method: "PUT", headers, body })).status).toBe(200);
  });

  test("a part that is replayed with another body", async () => {
    const noise = makeNoise(6 * MIB);
    const of = { Bucket: BUCKET, Key: noise.key };
    const { UploadId = "" } = await s3.send(new CreateMultipartUploadCommand(of));
    const query = `?partNumber=1&uploadId=${encodeURIComponent(UploadId)}`;
    const bodyOfPart = noise.part(0, noise.bytes);
    const { url, headers } = await sign(`/${BUCKET}/${noise.key}${query}`, bodyOfPart);
    const put = (body: Buffer) => fetch(url, { method: "PUT", headers, body: new Uint8Array(body) });
    expect((await put(bodyOfPart)).status).toBe(200);

    const { Parts } = await s3.send(new ListPartsCommand({ ...of, UploadId }));
    const replay = await put(makeNoise(noise.bytes).part(0, noise.bytes));
    await expectRefusal(replay, 400, "XAmzContentSHA256Mismatch");
    expect((await s3.send(new ListPartsCommand({ ...of, UploadId }))).Parts).toEqual(Parts);
    // Existing objects are still there.
    await s3.send(new CompleteMultipartUploadCommand({ ...of, UploadId, MultipartUpload: { Parts } }));
    expect((await fetch(`${server.url}/${noise.key}`)).status).toBe(200);
  });

  /** A PUT's address and headers, signed with the hash of its body. */
  async function sign(
    target: string,
    body: Buffer,
    wrong: { secretAccessKey?: string; accessKeyId?: string; datetime?: string } = {},
  ): Promise<{ url: string; headers: Headers }> {
    const url = server.url + target;
    const { headers } = await new AwsV4Signer({
      method: "PUT",
      url,
      headers: { "x-amz-content-sha256": createHash("sha256").update(body).digest("hex") },
      accessKeyId: "push",
      secretAccessKey: "push-token",
      service: "s3",
      region: "auto",
      ...wrong,
    }).sign();
    return { url, headers };
  }
});

async function expectRefusal(answer: Response, status: number, code: string): Promise<void> {
  const text = await answer.text();
  expect([answer.status, /<Code>(.*)<\/Code>/.exec(text)?.[1]], text).toEqual([status, code]);
}

/** `YYYYMMDDTHHMMSSZ`. */
function amzDate(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d+/g, "");
}
