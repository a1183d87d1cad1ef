/**
 * Refusals come before the body: without a credential a client can neither make the Worker read it, nor hold a
 * request open by sending a byte a minute. (The local dev server hands the answer on only when the body has come.)
 */
import { createExecutionContext, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { handle } from "../../src/index.ts";
import { ADMIN_TOKEN, keys, ORIGIN, PUSH_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { HASH, NAR_HASH } from "../support/objects.ts";

afterEach(reset);
captureLog();

const NAR = `/nar/${NAR_HASH}.nar`;
const UPLOAD = "uploadId=00000000-0000-0000-0000-000000000000.x";
const TIB = 1024 ** 4;

test.each<[string, string, string, number, Record<string, string>, number]>([
  ["a stranger's NAR", "PUT", NAR, 1, { Authorization: "" }, 401],
  ["a NAR under a wrong token", "PUT", NAR, 1, { Authorization: "Bearer x" }, 401],
  ["a stranger's narinfo", "PUT", `/${HASH}.narinfo`, 1, { Authorization: "" }, 401],
  ["a stranger's part", "PUT", `${NAR}?partNumber=1&${UPLOAD}`, 1, { Authorization: "" }, 401],
  ["a stranger's question to the API", "POST", "/api/v1/gc", 1, { Authorization: "" }, 401],
  ["a pusher's question to the API", "POST", "/api/v1/gc", 1, {}, 403],
  ["a NAR whose name is no hash", "PUT", "/nar/x.nar", 1, {}, 400],
  ["a NAR of a tebibyte", "PUT", NAR, TIB, {}, 413],
  ["a compressed NAR", "PUT", NAR, 1, { "Content-Encoding": "gzip" }, 415],
  ["a narinfo of a tebibyte", "PUT", `/${HASH}.narinfo`, TIB, {}, 413],
  ["a narinfo in an unknown coding", "PUT", `/${HASH}.narinfo`, 1, { "Content-Encoding": "xz" }, 415],
  ["a log of a tebibyte", "PUT", `/log/${HASH}-a.drv`, TIB, {}, 413],
  ["a part that is too large", "PUT", `${NAR}?partNumber=1&${UPLOAD}`, TIB, {}, 400],
  ["a list of parts of a tebibyte", "POST", `${NAR}?${UPLOAD}`, TIB, {}, 413],
  ["a question that is too large", "POST", "/api/v1/missing", TIB, {}, 413],
  ["a path that is none", "PUT", "/pins/x", 1, {}, 404],
])("%s", async (_, method, path, length, headers, status) => {
  // Of this body nothing ever comes.
  const { readable } = new TransformStream<Uint8Array, Uint8Array>();
  const request = new Request(`${ORIGIN}${path}`, {
    method,
    body: readable,
    headers: { Authorization: `Bearer ${PUSH_TOKEN}`, "Content-Length": `${length}`, ...headers },
  });
  const response = await handle(request, { ...env, PUSH_TOKEN, ADMIN_TOKEN }, createExecutionContext());
  expect({ status: response.status, text: await response.text() }).toMatchObject({ status });
  expect(await keys()).toEqual([]);
});
