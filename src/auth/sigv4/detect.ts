// Detects AWS Signature Version 4.

/** Whether a request has a signature, in the Authorization header or in the query of a pre-signed URL. */
export function carriesSigV4(request: Request): boolean {
  return (
    request.url.includes("X-Amz-Signature=") ||
    (request.headers.get("Authorization")?.startsWith("AWS4-HMAC-SHA256") ?? false)
  );
}
