// The staging area of multipart uploads: parts wait there until their content is verified.
import type { NewUpload } from "../contract/uploads.ts";
import { STAGING_FOLDER } from "./kinds.ts";
import { bucketOperation, NO_SUCH_UPLOAD, r2Code } from "./operation.ts";

/** The key of an upload until its content is verified. No route serves it. */
export function stagingKey(id: string, narKey: string): string {
  return `${STAGING_FOLDER}${id}/${narKey}`;
}

/** Deletes the parts of an upload, or the object assembled from them. */
export async function abortInBucket(
  bucket: R2Bucket,
  { id, r2Id }: Pick<NewUpload, "id" | "r2Id">,
  narKey: string,
): Promise<void> {
  const key = stagingKey(id, narKey);
  await bucketOperation("abort upload", async () => {
    try {
      await bucket.resumeMultipartUpload(key, r2Id).abort();
    } catch (error) {
      // Completed or forgotten already.
      if (r2Code(error) !== NO_SUCH_UPLOAD) throw error;
    }
  });
  await bucketOperation("delete", () => bucket.delete(key));
}
