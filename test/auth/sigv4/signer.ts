// An S3 client's side of Signature Version 4, written from AWS's description and with nothing of the server's,
// so that the two check each other.
import { createHash, createHmac } from "node:crypto";
import type { Payload } from "../../../src/auth/sigv4/payload.ts";
import { parseSignedRequest } from "../../../src/auth/sigv4/signed-request.ts";
import { verifySignature } from "../../../src/auth/sigv4/verify.ts";
import { S3Error } from "../../../src/http/s3-error.ts";

export const ACCESS_KEY = "push";
export const SECRET = "correct horse battery staple";
export const UNSIGNED = "UNSIGNED-PAYLOAD";
export const NOW = Date.UTC(2026, 10, 22, 12, 0, 0);
export const HOST = "cache.example.org";

export interface Unsigned {
  readonly method: string;
  readonly host: string;
  /** Not encoded. */
  readonly path: string;
  readonly query?: readonly (readonly [string, string])[];
  /** With lower-case names; all are signed. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly payloadHash?: string;
  readonly body?: BodyInit;
}

export interface SigningOptions {
  readonly time: number;
  readonly accessKey?: string;
  readonly secret?: string;
  readonly region?: string;
  readonly sessionToken?: string;
  /** Signs and sends the path with these characters as they are, as curl does. */
  readonly rawPath?: boolean;
}

/** A part of an upload: a request with something in every place that is signed. */
export const UPLOAD: Unsigned = {
  method: "PUT",
  host: HOST,
  path: "/nix-cache/nar/a+b!.nar",
  query: [
    ["partNumber", "1"],
    ["uploadId", "u=/+1"],
  ],
  headers: { "content-type": "text/plain", "x-amz-meta-a": "b" },
  payloadHash: sha256("body"),
};
export const OPTIONS: SigningOptions = { time: NOW };

export type SigV4Outcome =
  | {
      readonly ok: true;
      readonly accessKey: string;
      readonly sessionToken: string | undefined;
      readonly payload: Payload;
    }
  | { readonly ok: false; readonly error: S3Error };

/** Parses and verifies a request whose access key and session token have the secret that `secretOf` says. */
export async function verifySigV4(
  request: Request,
  secretOf: (accessKey: string, sessionToken: string | undefined) => string | undefined,
  now: number,
): Promise<SigV4Outcome> {
  try {
    const signed = parseSignedRequest(request, now);
    const { accessKey, sessionToken } = signed.params;
    const secret = secretOf(accessKey, sessionToken);
    const { payload } = await verifySignature(signed, secret === undefined ? [] : [{ secret }]);
    return { ok: true, accessKey, sessionToken, payload };
  } catch (error) {
    if (error instanceof S3Error) return { ok: false, error };
    throw error;
  }
}

/** What the server says: `ok`, or the code of its refusal. */
export async function verified(request: Request, now = NOW): Promise<string> {
  return codeOf(await verifySigV4(request, secretOf, now));
}

/** The whole outcome, at the time of the signature. */
export function verifyNow(request: Request): Promise<SigV4Outcome> {
  return verifySigV4(request, secretOf, NOW);
}

export function secretOf(accessKey: string): string | undefined {
  return accessKey === ACCESS_KEY ? SECRET : undefined;
}

export function codeOf(outcome: SigV4Outcome): string {
  return outcome.ok ? "ok" : outcome.error.code;
}

export interface Change {
  readonly method?: string;
  readonly url?: (url: string) => string;
  readonly headers?: Readonly<Record<string, string | null>>;
}

/** A copy of a request, without its body, in which something was changed. */
export function altered(request: Request, change: Change): Request {
  const headers = new Headers(request.headers);
  for (const [name, value] of Object.entries(change.headers ?? {})) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  const url = change.url?.(request.url) ?? request.url;
  return new Request(url, { method: change.method ?? request.method, headers });
}

/** Signs in the Authorization header. */
export function signed(unsigned: Unsigned, options: SigningOptions): Request {
  const { method, host, path, query = [], payloadHash = UNSIGNED, body } = unsigned;
  const { accessKey = ACCESS_KEY, sessionToken } = options;
  const datetime = amzDate(options.time);
  const headers: Record<string, string> = {
    ...unsigned.headers,
    host,
    "x-amz-date": datetime,
    "x-amz-content-sha256": payloadHash,
    ...(sessionToken && { "x-amz-security-token": sessionToken }),
  };
  const sentPath = options.rawPath ? path : encodePath(path);
  const { signature, names, scope } = sign(method, sentPath, query, headers, payloadHash, datetime, options);
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return new Request(`https://${host}${sentPath}${search(query)}`, {
    method,
    headers,
    ...(body !== undefined && { body }),
  });
}

/** Signs a URL. */
export function presigned(
  unsigned: Unsigned,
  options: SigningOptions & { readonly expires: number },
): Request {
  const { method, host, path, query = [], payloadHash = UNSIGNED, body } = unsigned;
  const { accessKey = ACCESS_KEY, region = "auto", sessionToken, expires, time } = options;
  const datetime = amzDate(time);
  const headers = { ...unsigned.headers, host };
  const all: (readonly [string, string])[] = [
    ...query,
    ["X-Amz-Algorithm", "AWS4-HMAC-SHA256"],
    ["X-Amz-Credential", `${accessKey}/${datetime.slice(0, 8)}/${region}/s3/aws4_request`],
    ["X-Amz-Date", datetime],
    ["X-Amz-Expires", String(expires)],
    ["X-Amz-SignedHeaders", Object.keys(headers).sort().join(";")],
    ...(sessionToken ? [["X-Amz-Security-Token", sessionToken] as const] : []),
    ...(payloadHash === UNSIGNED ? [] : [["X-Amz-Content-Sha256", payloadHash] as const]),
  ];
  const { signature } = sign(method, encodePath(path), all, headers, payloadHash, datetime, options);
  const url = `https://${host}${encodePath(path)}${search([...all, ["X-Amz-Signature", signature]])}`;
  return new Request(url, { method, headers, ...(body !== undefined && { body }) });
}

function sign(
  method: string,
  encodedPath: string,
  query: readonly (readonly [string, string])[],
  headers: Readonly<Record<string, string>>,
  payloadHash: string,
  datetime: string,
  { secret = SECRET, region = "auto" }: SigningOptions,
) {
  const names = Object.keys(headers).sort();
  const canonical = [
    method,
    encodedPath,
    query
      .map(([name, value]) => [encode(name), encode(value)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map((pair) => pair.join("="))
      .join("&"),
    ...names.map((name) => `${name}:${(headers[name] ?? "").trim().replace(/ +/g, " ")}`),
    "",
    names.join(";"),
    payloadHash,
  ].join("\n");
  const scope = `${datetime.slice(0, 8)}/${region}/s3/aws4_request`;
  const key = signingKey(secret, datetime.slice(0, 8), region);
  const text = ["AWS4-HMAC-SHA256", datetime, scope, sha256(canonical)].join("\n");
  return { signature: hmac(key, text).toString("hex"), names: names.join(";"), scope };
}

export function signingKey(secret: string, date: string, region: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), "s3"), "aws4_request");
}

export function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

export function amzDate(time: number): string {
  return new Date(time).toISOString().replace(/[:-]|\.\d{3}/g, "");
}

/** UriEncode of AWS's description: byte by byte. */
export function encode(text: string): string {
  return [...new TextEncoder().encode(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      const hex = byte.toString(16).toUpperCase().padStart(2, "0");
      return /[A-Za-z0-9._~-]/.test(character) ? character : `%${hex}`;
    })
    .join("");
}

function encodePath(path: string): string {
  return path.split("/").map(encode).join("/");
}

function search(query: readonly (readonly [string, string])[]): string {
  return query.length === 0
    ? ""
    : `?${query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&")}`;
}
