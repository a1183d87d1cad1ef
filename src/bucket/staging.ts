// Where the parts of a multipart upload wait until their content is verified.
import type { NewUpload } from "../contract/uploads.ts";
import { STAGING_FOLDER } from "./kinds.ts";
import { bucketOperation, NO_SUCH_UPLOAD, r2Code } from "./operation.ts";

/** Where the parts of an upload go until its content is verified: never a key that anybody can read. */
export function stagingKey(id: string, narKey: string): string {
  return `${STAGING_FOLDER}${id}/${narKey}`;
}

/** Frees whatever the bucket has of an upload: its parts, or the object that they were made into. */
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
