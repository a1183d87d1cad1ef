// A proxy that signs requests: for a client that supports the S3 protocol but has no credentials.
import { createServer, type IncomingHttpHeaders, request } from "node:http";
import { AwsV4Signer } from "aws4fetch";
import { listen } from "./proxy.ts";
import type { Server } from "./server.ts";

export type Credentials = { accessKeyId: string; secretAccessKey: string };

/** One request that passed, and how it was answered. */
export type Passed = { method: string; path: string; query: string; bytes: number; status: number };

export type SigningProxy = { port: number; passed: Passed[]; stop: () => Promise<void> };

/** Headers that belong to one connection, or are signed anew. */
const NOT_PASSED_ON = new Set(["host", "connection", "keep-alive", "transfer-encoding", "expect"]);

/** Requests that are signed already pass as they are. Bodies are streamed, `UNSIGNED-PAYLOAD`. */
export async function startSigningProxy(server: Server, credentials: Credentials): Promise<SigningProxy> {
  const passed: Passed[] = [];
  const proxy = createServer(async (incoming, outgoing) => {
    const { method = "GET", url: target = "/" } = incoming;
    const url = new URL(target, server.url);
    const record: Passed = {
      method,
      path: url.pathname,
      query: url.search,
      bytes: Number(incoming.headers["content-length"] ?? 0),
      status: 0,
    };
    passed.push(record);
    const headers = await signed(method, `${server.url}${target}`, incoming.headers, credentials);
    const upstream = request({ host: "127.0.0.1", port: server.port, method, path: target, headers });
    upstream.on("response", (answer) => {
      record.status = answer.statusCode ?? 0;
      outgoing.writeHead(record.status, answer.rawHeaders);
      answer.pipe(outgoing);
      answer.on("error", () => outgoing.destroy());
    });
    upstream.on("error", () => outgoing.destroy());
    incoming.pipe(upstream);
  });
  return { ...(await listen(proxy)), passed };
}

async function signed(
  method: string,
  url: string,
  headers: IncomingHttpHeaders,
  credentials: Credentials,
): Promise<Record<string, string | string[] | undefined>> {
  if (headers.authorization !== undefined) return headers;
  const kept = Object.entries(headers).filter(([name]) => !NOT_PASSED_ON.has(name));
  const { headers: signature } = await new AwsV4Signer({
    ...credentials,
    method,
    url,
    service: "s3",
    region: "auto",
    headers: { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
  }).sign();
  return { ...Object.fromEntries(kept), ...Object.fromEntries(signature), host: new URL(url).host };
}
