// The forms of a signed request's body, as `x-amz-content-sha256` names them.
import type { ChunkSigning } from "../../http/aws-chunked-signatures.ts";
import { S3Error } from "../../http/s3-error.ts";

export type Payload =
  /** The signature does not cover the body; only TLS protects it. */
  | { readonly form: "unsigned" }
  /** The body must have this hash (lower-case hex), **which its reader has to check**. */
  | { readonly form: "sha256"; readonly sha256: string }
  /** The body is `aws-chunked`, with or without a signature for each chunk and a trailer. */
  | { readonly form: "streaming"; readonly trailer: boolean; readonly signing: ChunkSigning | undefined };

/** Throws {@link S3Error} for a form that is unknown or not supported. */
export function parsePayload(payloadHash: string, signing: ChunkSigning): Payload {
  if (/^[0-9a-f]{64}$/.test(payloadHash)) return { form: "sha256", sha256: payloadHash };
  switch (payloadHash) {
    case "UNSIGNED-PAYLOAD":
      return { form: "unsigned" };
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
      return { form: "streaming", trailer: false, signing };
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
      return { form: "streaming", trailer: true, signing };
    case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
      return { form: "streaming", trailer: true, signing: undefined };
  }
  if (payloadHash.startsWith("STREAMING-AWS4-ECDSA-")) {
    throw new S3Error(501, "NotImplemented", "asymmetric signatures (SigV4A) are not supported");
  }
  throw new S3Error(
    400,
    "InvalidArgument",
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING form, or a SHA-256 in lower-case hex",
  );
}
