// The parameters of a signature, from the Authorization header or from the query of a pre-signed URL. Parsed, not
// verified.
import { S3Error } from "../../http/s3-error.ts";

export interface SignatureParams {
  /** Whether the signature is in the query: such a URL may have been given to a third party. */
  readonly presigned: boolean;
  readonly accessKey: string;
  readonly sessionToken: string | undefined;
  /** `YYYYMMDDTHHMMSSZ`, as it is signed. */
  readonly datetime: string;
  /** The same, in milliseconds since the epoch. */
  readonly time: number;
  /** Milliseconds that a pre-signed URL is valid for; 0 otherwise. */
  readonly validFor: number;
  readonly region: string;
  /** Lower case, sorted, each once. */
  readonly signedHeaders: readonly string[];
  /** 64 digits of lower-case hex. */
  readonly signature: string;
  /** The last line of the canonical request: a hash, or the name of the body's form. */
  readonly payloadHash: string;
}

/** Makes S3's refusal for a malformed signature, which depends on its place. */
type Refusal = (message: string) => S3Error;

const ALGORITHM = "AWS4-HMAC-SHA256";
/** A week, S3's own limit. */
const MAX_EXPIRES_SECONDS = 604_800;
/** Far more than any client signs; each costs time to compare. */
const MAX_SIGNED_HEADERS = 100;

/** Throws {@link S3Error} for a request with no signature, with two, or with a malformed one. */
export function parseSignatureParams(headers: Headers, query: URLSearchParams): SignatureParams {
  const authorization = headers.get("Authorization");
  if (!query.has("X-Amz-Signature")) return paramsOfHeader(authorization ?? "", headers);
  if (authorization === null) return paramsOfQuery(query, headers);
  throw new S3Error(
    400,
    "InvalidArgument",
    "a request is signed in the Authorization header or in the query, not in both",
  );
}

function paramsOfHeader(authorization: string, headers: Headers): SignatureParams {
  const refusal: Refusal = (message) => new S3Error(400, "AuthorizationHeaderMalformed", message);
  const fields = parseFields(authorization, refusal);
  const field = (name: string) => required(name, fields.get(name), refusal);
  const credential = parseCredential(field("Credential"), refusal);
  const signedHeaders = parseSignedHeaders(field("SignedHeaders"), refusal);
  const signature = parseSignature(field("Signature"), refusal);
  const datetime = headers.get("x-amz-date") ?? dateOf(headers, signedHeaders);
  if (datetime === undefined) {
    throw new S3Error(403, "AccessDenied", "a signed request needs an x-amz-date header, or a signed Date");
  }
  const payloadHash = headers.get("x-amz-content-sha256");
  if (payloadHash === null) {
    throw new S3Error(400, "InvalidRequest", "a signed request needs an x-amz-content-sha256 header");
  }
  return {
    presigned: false,
    ...credential,
    sessionToken: headers.get("x-amz-security-token") ?? undefined,
    datetime,
    time: parseTime(datetime, credential.date, refusal),
    validFor: 0,
    signedHeaders,
    signature,
    payloadHash,
  };
}

function paramsOfQuery(query: URLSearchParams, headers: Headers): SignatureParams {
  const refusal: Refusal = (message) => new S3Error(400, "AuthorizationQueryParametersError", message);
  const parameter = (name: string) => required(name, query.get(name) ?? undefined, refusal);
  if (parameter("X-Amz-Algorithm") !== ALGORITHM) throw refusal(`X-Amz-Algorithm must be ${ALGORITHM}`);
  const credential = parseCredential(parameter("X-Amz-Credential"), refusal);
  const datetime = parameter("X-Amz-Date");
  return {
    presigned: true,
    ...credential,
    sessionToken: query.get("X-Amz-Security-Token") ?? undefined,
    datetime,
    time: parseTime(datetime, credential.date, refusal),
    validFor: parseExpires(parameter("X-Amz-Expires"), refusal) * 1000,
    signedHeaders: parseSignedHeaders(parameter("X-Amz-SignedHeaders"), refusal),
    signature: parseSignature(parameter("X-Amz-Signature"), refusal),
    // Most pre-signed URLs are made before the body is known. The AWS SDK for JavaScript sends that as a parameter,
    // others omit it.
    payloadHash:
      headers.get("x-amz-content-sha256") ?? query.get("X-Amz-Content-Sha256") ?? "UNSIGNED-PAYLOAD",
  };
}

/** `AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...`; the blanks after the commas may be missing. */
function parseFields(authorization: string, refusal: Refusal): ReadonlyMap<string, string> {
  const [, list] = /^AWS4-HMAC-SHA256\s+(.*)$/.exec(authorization) ?? [];
  if (list === undefined) throw refusal(`the Authorization header must begin with ${ALGORITHM}`);
  const fields = new Map<string, string>();
  for (const text of list.split(",")) {
    const [, name, value] = /^\s*([A-Za-z]+)=(\S+)\s*$/.exec(text) ?? [];
    if (name === undefined || value === undefined || fields.has(name)) {
      throw refusal("the Authorization header must be a list of name=value, each name once");
    }
    fields.set(name, value);
  }
  return fields;
}

/** The time of a signed Date header, as it is signed. Only without x-amz-date it counts. */
function dateOf(headers: Headers, signedHeaders: readonly string[]): string | undefined {
  const date = headers.get("Date");
  if (date === null || !signedHeaders.includes("date")) return undefined;
  if (/^\d{8}T\d{6}Z$/.test(date)) return date;
  const time = /^[A-Z][a-z]{2}/.test(date) ? Date.parse(date) : Number.NaN;
  return Number.isNaN(time) ? undefined : new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

function required(name: string, value: string | undefined, refusal: Refusal): string {
  if (value === undefined || value === "") throw refusal(`the signature has no ${name}`);
  return value;
}

/** `<access key>/<date>/<region>/s3/aws4_request`; any region is this cache's. */
function parseCredential(
  text: string,
  refusal: Refusal,
): { readonly accessKey: string; readonly date: string; readonly region: string } {
  const [, accessKey, date, region, service] =
    /^([^,\s]{1,128})\/(\d{8})\/([\w.-]{1,64})\/([\w.-]+)\/aws4_request$/.exec(text) ?? [];
  if (accessKey === undefined || date === undefined || region === undefined) {
    throw refusal("the credential must be ACCESS-KEY/YYYYMMDD/REGION/s3/aws4_request");
  }
  if (service !== "s3") throw refusal("the credential must be for the service s3");
  return { accessKey, date, region };
}

function parseSignedHeaders(text: string, refusal: Refusal): readonly string[] {
  const names = text.split(";");
  const isInOrder = names.every((name, index) => index === 0 || name > (names[index - 1] ?? ""));
  if (!isInOrder || names.length > MAX_SIGNED_HEADERS || !names.every(isHeaderName)) {
    throw refusal("the signed headers must be lower-case names, sorted, separated by ';'");
  }
  return names;
}

/** A token of RFC 9110, section 5.6.2, in lower case; `Headers` throws for anything else. */
function isHeaderName(name: string): boolean {
  return /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name);
}

function parseSignature(text: string, refusal: Refusal): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw refusal("the signature must be 64 digits of lower-case hex");
}

function parseTime(datetime: string, scopeDate: string, refusal: Refusal): number {
  const iso = datetime.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6.000Z");
  const time = iso === datetime ? Number.NaN : Date.parse(iso);
  // Date.parse reads the 31st of February as a day in March.
  if (Number.isNaN(time) || new Date(time).toISOString() !== iso) {
    throw refusal("the date of the signature must be a time as YYYYMMDDTHHMMSSZ");
  }
  if (!datetime.startsWith(scopeDate)) {
    throw refusal("the date in the credential is not the date of the request");
  }
  return time;
}

function parseExpires(text: string, refusal: Refusal): number {
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= MAX_EXPIRES_SECONDS) return seconds;
  throw refusal(`X-Amz-Expires must be from 1 to ${MAX_EXPIRES_SECONDS} seconds`);
}
