// Settings of a bucket, of which a cache has none: S3's answers where they are not set.
import { S3Error } from "../http/s3-error.ts";
import { emptyDocument, paymentDocument } from "../http/xml.ts";

/** An empty document, or the code and message of the refusal (404). */
const ANSWERS: Readonly<Record<string, string | readonly [code: string, message: string]>> = {
  accelerate: emptyDocument("AccelerateConfiguration"),
  cors: ["NoSuchCORSConfiguration", "the bucket has no CORS configuration"],
  encryption: [
    "ServerSideEncryptionConfigurationNotFoundError",
    "the bucket has no encryption configuration; R2 encrypts everything",
  ],
  lifecycle: [
    "NoSuchLifecycleConfiguration",
    "the bucket has no lifecycle; CACHES configures what a cache keeps",
  ],
  logging: emptyDocument("BucketLoggingStatus"),
  notification: emptyDocument("NotificationConfiguration"),
  "object-lock": ["ObjectLockConfigurationNotFoundError", "the bucket has no object lock"],
  ownershipControls: ["OwnershipControlsNotFoundError", "the bucket has no ownership controls"],
  policy: ["NoSuchBucketPolicy", "the bucket has no policy; tokens say who may do what"],
  policyStatus: ["NoSuchBucketPolicy", "the bucket has no policy; tokens say who may do what"],
  publicAccessBlock: ["NoSuchPublicAccessBlockConfiguration", "the bucket has no public access block"],
  replication: ["ReplicationConfigurationNotFoundError", "the bucket has no replication"],
  requestPayment: paymentDocument(),
  tagging: ["NoSuchTagSet", "the bucket has no tags"],
  versioning: emptyDocument("VersioningConfiguration"),
  website: ["NoSuchWebsiteConfiguration", "the bucket is no website"],
};

/** The parameters by which S3 clients ask for a setting. */
export const SETTINGS: readonly string[] = Object.keys(ANSWERS);

/** The document for one of {@link SETTINGS}. Throws {@link S3Error} 404 where S3 has an error for one that is not set. */
export function settingDocument(name: string): string {
  const answer = ANSWERS[name];
  if (typeof answer === "string") return answer;
  const [code, message] = answer ?? ["NoSuchConfiguration", "the bucket has no such setting"];
  throw new S3Error(404, code, message);
}
