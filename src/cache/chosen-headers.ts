// S3's `response-*` parameters: headers that a reader with a credential chooses for the answer.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import type { Context } from "../context.ts";
import { RESPONSE_HEADERS } from "../http/response-headers.ts";
import { S3Error } from "../http/s3-error.ts";

/**
 * The headers that the query of a signed request asks for. The signature must be valid, also where everyone may read:
 * else any link could make a browser show a log as a page of this site. Throws {@link S3Error} 400 or 403.
 */
export async function chosenHeaders({
  request,
  query,
  identify,
}: Context): Promise<Readonly<Record<string, string>>> {
  if (!query.includes("response-") || !carriesSigV4(request)) return {};
  const chosen: Record<string, string> = {};
  for (const [parameter, value] of new URLSearchParams(query)) {
    const header = Object.hasOwn(RESPONSE_HEADERS, parameter) ? RESPONSE_HEADERS[parameter] : undefined;
    if (header === undefined) continue;
    if (!/^[\x20-\x7e]+$/.test(value)) {
      throw new S3Error(400, "InvalidArgument", `${parameter} must be printable ASCII`);
    }
    chosen[header] = value;
  }
  if (Object.keys(chosen).length === 0) return chosen;
  const identified = await identify();
  if (identified.kind === "refused" && identified.error !== undefined) throw identified.error;
  if (identified.kind !== "known") throw new S3Error(403, "AccessDenied", "response-* need a signed request");
  // A page in it would act as this site with the reader's credentials.
  return { ...chosen, "Content-Security-Policy": "sandbox", "Cloudflare-CDN-Cache-Control": "no-store" };
}
