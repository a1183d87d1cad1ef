// Whether a request is signed by AWS Signature Version 4: all that requests without a signature have to load.

/** True for both places of a signature: the Authorization header, and the query of a pre-signed URL. */
export function carriesSigV4(request: Request): boolean {
  return (
    request.url.includes("X-Amz-Signature=") ||
    (request.headers.get("Authorization")?.startsWith("AWS4-HMAC-SHA256") ?? false)
  );
}
