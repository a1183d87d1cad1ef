// What a push to the catalog has come to: with conditions and an ETag for the clients that send or expect them.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { s3Etag } from "../bucket/s3-etag.ts";
import type { PublishOutcome, PublishResult } from "../contract/paths.ts";
import { type WriteCondition, writeCondition } from "../http/preconditions.ts";

/** Publishes for S3 clients and under conditions by `publishIf`, else by `publish`. */
export async function published(
  request: Request,
  key: string,
  publishIf: (condition: WriteCondition) => Promise<PublishResult>,
  publish: () => Promise<PublishOutcome>,
): Promise<{ readonly outcome: PublishOutcome; readonly headers: Readonly<Record<string, string>> }> {
  const condition = writeCondition(request.headers);
  const isS3 = carriesSigV4(request);
  if (condition === undefined && !isS3) return { outcome: await publish(), headers: {} };
  const { outcome, etag } = await publishIf(condition ?? {});
  return { outcome, headers: { ETag: `"${isS3 ? s3Etag(key, etag) : etag}"` } };
}
