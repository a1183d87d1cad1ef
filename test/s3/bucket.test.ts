/** A cache as a bucket: its own name in front of the path, its place, and what is in it. */
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cacheWith, PULL_TOKEN, store } from "../support/cache.ts";
import { OBJECTS } from "../support/objects.ts";
import { push, testPath } from "../support/store-paths.ts";
import { elementOf, sendAll } from "../support/upload.ts";

afterEach(reset);

const cache = cacheWith({ LISTING: "public" });

function elementsOf(document: string, name: string): string[] {
  return [...document.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map(([, text]) => text ?? "");
}

describe("under its own name", () => {
  test("every object is what it is without", async () => {
    for (const { key, body } of OBJECTS) {
      await store(key, body);
      expect(await cache.get(`/nix-cache/${key}`)).toEqual(await cache.get(`/${key}`));
    }
  });

  test("paths are pushed, and the API answers, its errors in its own form", async () => {
    const path = await testPath();
    expect((await cache.put(`/nix-cache/${path.narKey}`, path.nar)).status).toBe(201);
    expect((await cache.put(`/nix-cache/${path.key}`, path.text)).status).toBe(201);
    expect((await cache.get("/nix-cache/api/v1/stats")).status).toBe(200);
    const missing = await cache.get("/nix-cache/api/v1/nothing");
    expect(missing.headers.get("Content-Type")).toBe("application/problem+json");
  });

  test("it is there", async () => {
    expect((await cache.head("/nix-cache")).status).toBe(200);
    expect((await cache.head("/nix-cache/")).status).toBe(200);
    expect((await cache.head("/another")).status).toBe(404);
    const { text, headers } = await cache.get("/nix-cache?location");
    expect([elementOf(text, "LocationConstraint"), headers.get("Content-Type")]).toEqual([
      undefined,
      "application/xml",
    ]);
    expect(text).toContain(">auto</LocationConstraint>");
  });

  test("it is the bucket of this address, to whom asks as S3 clients do", async () => {
    const asking = { Authorization: "AWS4-HMAC-SHA256 Credential=push/20261122/auto/s3/aws4_request" };
    const { text, headers } = await cache.get("/", asking);
    expect([elementsOf(text, "Name"), headers.get("Content-Type")]).toEqual([
      ["nix-cache"],
      "application/xml",
    ]);
    expect((await cache.get("/")).headers.get("Content-Type")).toMatch(/^text\/plain/);
  });

  test("a name is stripped once", async () => {
    const [object] = OBJECTS;
    await store(object?.key ?? "", "x");
    expect((await cache.get(`/nix-cache/nix-cache/${object?.key}`)).status).toBe(404);
  });
});

describe("a listing", () => {
  const all = OBJECTS.map(({ key }) => key).sort();
  const folders = [...new Set(all.map((key) => key.slice(0, key.indexOf("/") + 1)))].filter(Boolean);
  beforeEach(async () => {
    for (const { key, body } of OBJECTS) await store(key, body);
    await store("uploads/secret/nar/x.nar", "x");
    await store("something/else", "x");
    await store("else.txt", "x");
  });

  test("has every object of the cache, and nothing else that lies in the bucket", async () => {
    const { text, headers } = await cache.get("/nix-cache?list-type=2");
    expect(elementsOf(text, "Key")).toEqual(all);
    expect([elementOf(text, "IsTruncated"), elementOf(text, "KeyCount")]).toEqual([
      "false",
      String(all.length),
    ]);
    expect(headers.get("Cache-Control")).toBe("no-store");
    expect(elementsOf((await cache.get("/nix-cache?prefix=uploads/")).text, "Key")).toEqual([]);
    expect(
      elementsOf((await cache.get("/nix-cache?list-type=2&delimiter=/")).text, "Prefix").slice(1),
    ).toEqual(folders);
  });

  test.each([
    ["list-type=2", "NextContinuationToken", "continuation-token"],
    ["delimiter=", "NextMarker", "marker"],
  ])("in pages: %s", async (version, next, parameter) => {
    const found: string[] = [];
    let more = "";
    for (let page = 0; page < all.length; page++) {
      const { text } = await cache.get(`/nix-cache/?${version}&max-keys=3&encoding-type=url${more}`);
      found.push(...elementsOf(text, "Key").map(decodeURIComponent));
      const place = elementOf(text, next);
      expect(place !== undefined).toBe(elementOf(text, "IsTruncated") === "true");
      if (place === undefined) break;
      // A marker is a key, and encoded like one; a token is not.
      more = `&${parameter}=${parameter === "marker" ? place : encodeURIComponent(place)}`;
    }
    expect(found).toEqual(all);
  });

  test("in pages tells nothing of what lies between", async () => {
    // In the order of the bucket they come between the objects of the cache.
    for (const folder of ["0-secret", "mmm", "secret", "uploads"]) {
      for (const name of ["a", "b", "c"]) await store(`${folder}/${name}`, "x");
    }
    for (const query of ["", "&delimiter=/"]) {
      const found: string[] = [];
      let token = "";
      for (let page = 0; page < 20; page++) {
        const { text } = await cache.get(`/nix-cache?list-type=2&max-keys=1${query}${token}`);
        expect(text).not.toMatch(/secret|mmm|uploads/);
        found.push(...elementsOf(text, "Key"), ...elementsOf(text, "Prefix").slice(1));
        const next = elementOf(text, "NextContinuationToken");
        if (next === undefined) break;
        token = `&continuation-token=${encodeURIComponent(next)}`;
      }
      const folders = all.map((key) => key.replace(/\/.*/, "/"));
      expect(found).toEqual(query === "" ? all : folders);
    }
    for (const prefix of ["secret/", "secret/a", "uploads/", "mmm/"]) {
      const { text } = await cache.get(`/nix-cache?list-type=2&max-keys=1&prefix=${prefix}`);
      expect([elementOf(text, "KeyCount"), elementOf(text, "IsTruncated")]).toEqual(["0", "false"]);
    }
  });

  test("goes on behind a folder that a tool gives as its marker", async () => {
    const { text } = await cache.get("/nix-cache?delimiter=/&marker=nar/");
    expect(elementsOf(text, "Prefix").slice(1)).toEqual(folders.filter((folder) => folder > "nar/"));
  });

  test("from a key on, by prefix, and none", async () => {
    const [first = ""] = all;
    const keysOf = async (query: string) => elementsOf((await cache.get(`/nix-cache?${query}`)).text, "Key");
    expect(await keysOf(`list-type=2&start-after=${first}`)).toEqual(all.slice(1));
    expect(await keysOf(`marker=${first}`)).toEqual(all.slice(1));
    expect(await keysOf("list-type=2&prefix=nar/")).toEqual(all.filter((key) => key.startsWith("nar/")));
    expect(await keysOf("max-keys=0")).toEqual([]);
    expect((await cache.get("/nix-cache?max-keys=x")).status).toBe(400);
  });

  test("does not show unverified uploads", async () => {
    const path = await testPath();
    await push(cache, path);
    const other = await testPath("other");
    await sendAll(cache, { key: other.narKey, parts: [other.nar] });
    expect((await cache.get("/nix-cache?list-type=2")).text).not.toContain(other.narKey);
  });

  test("of a private cache needs the pull permission", async () => {
    const secret = cacheWith({ PULL_TOKEN });
    expect((await secret.get("/nix-cache?list-type=2")).status).toBe(401);
    const allowed = await secret.get("/nix-cache?list-type=2", { Authorization: `Bearer ${PULL_TOKEN}` });
    expect([allowed.status, allowed.headers.get("Cache-Control")]).toEqual([200, "private, no-store"]);
  });
});
