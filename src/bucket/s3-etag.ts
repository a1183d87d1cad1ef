// The ETags that S3 clients get. They take 32 digits of hex for the MD5 of what they have sent.
import { KINDS } from "./kinds.ts";

const REWRITTEN = KINDS.filter(({ upload }) => upload === "narinfo" || upload === "realisation");
/** As of an object that was sent in parts: by it clients know that an ETag is no MD5. */
const NO_MD5 = "-1";

/**
 * The ETag of an object for S3 clients, without quotes: R2's, the MD5 of its bytes. Where the cache adds signatures to
 * what it is sent, the MD5 of what it stores is not that of the client's file, and is marked as none.
 */
export function s3Etag(key: string, etag: string): string {
  return REWRITTEN.some(({ pattern }) => pattern.test(key)) ? `${etag}${NO_MD5}` : etag;
}
