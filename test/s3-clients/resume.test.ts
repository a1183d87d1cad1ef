// 1.2 GB in parts of 64 MiB, broken in the middle of one, taken up again by another client, and read back.
import type { Readable } from "node:stream";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListPartsCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startProxy, type Proxy as TestProxy } from "../real-nix/proxy.ts";
import { serve } from "../real-nix/serve.ts";
import { describeLargeUpload } from "../support/large-uploads.ts";
import { digestOf, MIB, makeNoise, type Noise } from "./noise.ts";
import { BUCKET, newS3 } from "./s3.ts";

const BYTES = 1_200_000_000;
const PART_BYTES = 64 * MIB;
const PARTS = Math.ceil(BYTES / PART_BYTES);
/** The part in whose middle the connection is cut. */
const BROKEN = 8;

describeLargeUpload("an upload of 1.2 GB", () => {
  let noise: Noise;
  let of: { Bucket: string; Key: string };
  const server = serve({ PUSH_TOKEN: "push-token" });
  let proxy: TestProxy;

  beforeAll(async () => {
    noise = makeNoise(BYTES);
    of = { Bucket: BUCKET, Key: noise.key };
    let isCut = false;
    proxy = await startProxy(server, (method, path) => {
      if (isCut || method !== "PUT" || !path.includes(`partNumber=${BROKEN}&`)) return undefined;
      isCut = true;
      return { shorten: PART_BYTES / 2 };
    });
  });
  afterAll(() => proxy.stop());

  test("breaks, is resumed without sending a part again, and comes out identical", async () => {
    const first = newS3(proxy.url, "push-token");
    const { UploadId = "" } = await first.send(new CreateMultipartUploadCommand(of));
    await expect(sendMissing(first, UploadId)).rejects.toThrow();
    first.destroy();

    const second = newS3(proxy.url, "push-token");
    expect(await sendMissing(second, UploadId)).toBe(PARTS - BROKEN + 1);
    const parts = proxy.seen.filter(({ method, path }) => method === "PUT" && path.includes("partNumber="));
    const whole = parts.filter(({ status }) => status === 200).map(({ path }) => partNumberOf(path));
    expect(whole).toEqual(Array.from({ length: PARTS }, (_, index) => index + 1));
    expect(parts).toHaveLength(PARTS + 1);

    const { Parts = [] } = await second.send(new ListPartsCommand({ ...of, UploadId }));
    await expect(second.send(new GetObjectCommand(of))).rejects.toMatchObject({ name: "NoSuchKey" });
    await second.send(new CompleteMultipartUploadCommand({ ...of, UploadId, MultipartUpload: { Parts } }));
    const { Body } = await second.send(new GetObjectCommand(of));
    expect(await digestOf(Body as Readable)).toEqual({ sha256: noise.sha256, bytes: BYTES });
    second.destroy();
  });

  /** Sends the missing parts; returns their number. */
  async function sendMissing(s3: S3Client, UploadId: string): Promise<number> {
    const { Parts = [] } = await s3.send(new ListPartsCommand({ ...of, UploadId }));
    const there = new Set(Parts.map(({ PartNumber }) => PartNumber));
    let sent = 0;
    for (let PartNumber = 1; PartNumber <= PARTS; PartNumber++) {
      if (there.has(PartNumber)) continue;
      const Body = noise.part((PartNumber - 1) * PART_BYTES, PART_BYTES);
      await s3.send(new UploadPartCommand({ ...of, UploadId, PartNumber, Body }));
      sent++;
    }
    return sent;
  }
});

function partNumberOf(path: string): number {
  return Number(/partNumber=(\d+)/.exec(path)?.[1]);
}
