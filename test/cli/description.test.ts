/** What `npm start` has from the cache itself, and what it does where that tells nothing. */
import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { descriptionOf } from "../../src/cli/description.ts";
import type { Address } from "../../src/cli/instructions.ts";

const BODY = JSON.stringify({
  public_keys: ["a-1:AAAA", "b-1:BBBB"],
  trusted_public_keys: ["c-1:CCCC"],
  upstreams: [{ url: "https://cache.nixos.org", public_keys: ["u-1:DDDD"] }],
  visibility: "private",
});

let server: Server;
let address: Address;
let answer: { status: number; body: string };
let asked: (string | undefined)[][];

beforeEach(async () => {
  answer = { status: 200, body: BODY };
  asked = [];
  server = createServer((request, response) => {
    asked.push([request.url, request.headers.authorization]);
    response.writeHead(answer.status).end(answer.body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  address = { protocol: "http", ip: "127.0.0.1", port };
});
afterEach(() => server.close());

test("keys, upstreams and visibility, asked for with the token of a private cache", async () => {
  const description = {
    publicKeys: ["a-1:AAAA", "b-1:BBBB"],
    upstreams: ["https://cache.nixos.org"],
    isPrivate: true,
  };
  expect(await descriptionOf(address, undefined)).toEqual(description);
  expect(await descriptionOf(address, "secret")).toEqual(description);
  expect(asked).toEqual([
    ["/api/v1/cache", undefined],
    ["/api/v1/cache", "Bearer secret"],
  ]);
});

test.each(["null", "{}", "[]", '{"public_keys": 7, "upstreams": {}}'])("%s tells nothing", async (body) => {
  answer = { status: 200, body };
  expect(await descriptionOf(address, undefined)).toEqual({
    publicKeys: [],
    upstreams: [],
    isPrivate: false,
  });
});

test.each([
  { status: 401, body: BODY, why: /answered 401$/ },
  { status: 200, body: "<html>", why: /JSON/ },
])("$status $body is a failure", async ({ why, ...given }) => {
  answer = given;
  await expect(descriptionOf(address, undefined)).rejects.toThrow(why);
});

test("a server that has gone is a failure", async () => {
  server.close();
  await expect(descriptionOf(address, undefined)).rejects.toThrow();
});
