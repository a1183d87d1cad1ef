// The AWS SDK as a client of the cache that a server of the tests serves.
import { S3Client } from "@aws-sdk/client-s3";

export const BUCKET = "nix-cache";

/** In the SDK's default modes, but without retries, so that every failure shows. */
export function newS3(endpoint: string, secretAccessKey: string): S3Client {
  return new S3Client({
    endpoint,
    region: "auto",
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: "push", secretAccessKey },
  });
}
