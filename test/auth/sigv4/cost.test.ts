/** How many signatures the gate computes for a request that is signed with a wrong secret. */
import { reset } from "cloudflare:test";
import { afterEach, expect, test, vi } from "vitest";
import { ADMIN_TOKEN, cacheWith, PULL_TOKEN } from "../../support/cache.ts";
import { HOST, signed } from "./signer.ts";

/** HMACs that make a secret into the signing key of a day, region and service. */
const KEY_HMACS = 4;
const SECRETS = { ADMIN_TOKEN, PULL_TOKEN };

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

test.each([
  // Signed by a client for GET or, where the edge made a GET of it, HEAD; its path encoded in S3's way or sent raw.
  { name: "a known key, GET", accessKey: "push", method: "GET", path: "/nar/a+b.nar", secrets: 1, each: 4 },
  { name: "a known key, PUT", accessKey: "push", method: "PUT", path: "/nar/a+b.nar", secrets: 1, each: 2 },
  { name: "a path with one spelling", accessKey: "push", method: "GET", path: "/nar/b", secrets: 1, each: 2 },
  { name: "a session token", sessionToken: "a.b.c", method: "GET", path: "/nar/a+b", secrets: 1, each: 4 },
  // It may stand for each of the static tokens.
  { name: "any other key", accessKey: "curl", method: "GET", path: "/nar/a+b.nar", secrets: 3, each: 4 },
])("$name: $secrets secrets, $each signatures for each", async ({ method, path, secrets, each, ...key }) => {
  const cache = cacheWith(SECRETS);
  const { url, headers } = signed(
    { method, host: HOST, path },
    { time: Date.now(), secret: "wrong", rawPath: true, ...key },
  );
  const sign = vi.spyOn(crypto.subtle, "sign");
  const answer = await cache.fetch(new URL(url).pathname, { method, headers });
  expect(answer).toMatchObject({ status: 403, text: expect.stringContaining("SignatureDoesNotMatch") });
  expect(sign).toHaveBeenCalledTimes(secrets * (KEY_HMACS + each));
});
