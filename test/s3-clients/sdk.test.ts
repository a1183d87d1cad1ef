// The AWS SDK for JavaScript in its default checksum mode, which sends aws-chunked bodies with a trailer.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import {
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serve } from "../real-nix/serve.ts";
import { makeFileCache } from "./file-cache.ts";
import { digestOf, MIB, makeNoise } from "./noise.ts";
import { BUCKET, newS3 } from "./s3.ts";

const LARGE_BYTES = 300_000_000;
const PART_BYTES = 64 * MIB;

describe("the AWS SDK", () => {
  const server = serve({ PUSH_TOKEN: "push-token" });
  let s3: S3Client;

  beforeAll(() => {
    s3 = newS3(server.url, "push-token");
  });
  afterAll(() => s3.destroy());

  test("sends 300 MB in parts of 64 MiB and gets the same back", async () => {
    const { key, sha256, stream } = makeNoise(LARGE_BYTES);
    const params = { Bucket: BUCKET, Key: key, Body: stream() };
    await new Upload({ client: s3, params, partSize: PART_BYTES, queueSize: 2 }).done();
    const { ContentLength, ETag } = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key }));
    expect(ContentLength).toBe(LARGE_BYTES);
    const { Body, ...answer } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    expect(answer.ETag).toBe(ETag);
    expect(await digestOf(Body as Readable)).toEqual({ sha256, bytes: LARGE_BYTES });
  });

  test("sends a stream in one request, which the SDK cuts into chunks", async () => {
    const { bytes, key, sha256, stream } = makeNoise(3 * MIB + 1);
    const Body = stream();
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body, ContentLength: bytes }));
    const answer = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    expect(await digestOf(answer.Body as Readable)).toEqual({ sha256, bytes });
  });

  test("publishes narinfos and finds all of it in the listing, page by page", async () => {
    const cache = makeFileCache(4);
    for (const Key of [...cache.nars, ...cache.narInfos]) {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: readFileSync(join(cache.dir, Key)) }));
    }
    await s3.send(new HeadBucketCommand({ Bucket: BUCKET }));
    const keys: (string | undefined)[] = [];
    for await (const page of paginateListObjectsV2({ client: s3, pageSize: 3 }, { Bucket: BUCKET })) {
      for (const { Key } of page.Contents ?? []) keys.push(Key);
    }
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).toEqual(expect.arrayContaining([...cache.nars, ...cache.narInfos]));
  });
});
