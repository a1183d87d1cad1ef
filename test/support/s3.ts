/** An S3 client of a cache under test: every request is signed. */
import { type SigningOptions, signed } from "../auth/sigv4/signer.ts";
import { type Answer, type Body, type HeaderList, ORIGIN, PUSH_TOKEN, type TestCache } from "./cache.ts";
import { elementOf } from "./upload.ts";

export const BUCKET = "nix-cache";

export interface S3Request {
  readonly query?: string;
  readonly headers?: HeaderList;
  readonly body?: Body;
  /** Lower-case hex; without it the body is not signed. */
  readonly sha256?: string;
}

export type Send = (method: string, path: string, request?: S3Request) => Promise<Answer>;

/** Sends to `/<path>`; the path begins with a bucket, if it has one. */
export function s3Client(cache: TestCache, options: Partial<SigningOptions> = {}): Send {
  return async (method, path, { query = "", headers = {}, body, sha256 } = {}) => {
    const parameters = query === "" ? [] : query.split("&").map(parameter);
    const length = body === undefined ? {} : { "content-length": String(new Blob([body]).size) };
    const request = signed(
      {
        method,
        host: new URL(ORIGIN).host,
        path: `/${path}`,
        query: parameters,
        headers: { ...length, ...headers },
        ...(body !== undefined && { body }),
        ...(sha256 !== undefined && { payloadHash: sha256 }),
      },
      { time: Date.now(), accessKey: "push", secret: PUSH_TOKEN, ...options },
    );
    const { pathname, search } = new URL(request.url);
    return cache.fetch(pathname + search, {
      method,
      headers: request.headers,
      ...(body !== undefined && { body }),
    });
  };
}

function parameter(text: string): readonly [string, string] {
  const [name = "", ...value] = text.split("=");
  return [name, decodeURIComponent(value.join("="))];
}

/** As `404 NoSuchKey`. */
export function codeOf({ status, text }: Answer): string {
  return `${status} ${elementOf(text, "Code") ?? ""}`.trim();
}

export function elementsOf(document: string, name: string): string[] {
  return [...document.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map(([, text]) => text ?? "");
}
