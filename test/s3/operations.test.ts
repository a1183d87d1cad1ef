/** Operations of S3: each is one of the table or is refused, and a refusal touches nothing. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { watch } from "../support/bucket.ts";
import { cacheWith, contents, keys, PULL_TOKEN, store } from "../support/cache.ts";
import { OBJECTS } from "../support/objects.ts";
import { BUCKET, codeOf, elementsOf, s3Client } from "../support/s3.ts";
import { testPath } from "../support/store-paths.ts";
import { begin, elementOf, largeNar } from "../support/upload.ts";

afterEach(reset);

const cache = cacheWith();
const s3 = s3Client(cache);

const OF_OBJECTS = (
  "acl tagging retention legal-hold torrent attributes restore select renameObject encryption versionId=null " +
  "partNumber=1 acl= acl=x annotation select&select-type=2 uploads&acl uploadId=x&acl unheard-of"
).split(" ");
const OF_BUCKETS = (
  "acl analytics inventory metrics intelligent-tiering session metadataTable ownershipControls&x delete " +
  "versioning&acl list-type=2&acl unheard-of abac"
).split(" ");

describe("what is not implemented is 501, and nothing is touched", () => {
  beforeEach(async () => {
    for (const { key, body } of OBJECTS) await store(key, body);
  });

  test.each(OF_OBJECTS)("?%s of an object, by every method", async (query) => {
    const before = await contents();
    const watched = watch(env.BUCKET);
    const on = cacheWith({ BUCKET: watched.bucket });
    for (const method of ["GET", "HEAD", "PUT", "POST", "DELETE"]) {
      for (const { kind, key } of OBJECTS) {
        const body = method === "PUT" || method === "POST" ? { body: "<x/>" } : {};
        const answer = await s3Client(on)(method, `${BUCKET}/${key}`, { query, ...body });
        if (query.startsWith("partNumber") && method === "PUT") continue;
        expect(answer.status, `${method} ${kind}`).toBe(501);
        if (method !== "HEAD") expect(codeOf(answer)).toBe("501 NotImplemented");
      }
    }
    expect([watched.operations, on.catalog.calls]).toEqual([[], []]);
    expect(await contents()).toEqual(before);
  });

  test("deleting and posting objects, copying, many deletions at once", async () => {
    const before = await contents();
    for (const { key } of OBJECTS) {
      expect(codeOf(await s3("DELETE", `${BUCKET}/${key}`))).toBe("501 NotImplemented");
      expect(codeOf(await s3("POST", `${BUCKET}/${key}`, { body: "x" }))).toBe("501 NotImplemented");
      const copy = { headers: { "x-amz-copy-source": `/${BUCKET}/${key}` } };
      expect(codeOf(await s3("PUT", `${BUCKET}/${key}`, copy))).toBe("501 NotImplemented");
    }
    expect(codeOf(await s3("POST", BUCKET, { query: "delete", body: "<Delete/>" }))).toBe(
      "501 NotImplemented",
    );
    expect(codeOf(await s3("DELETE", BUCKET))).toBe("501 NotImplemented");
    expect(await contents()).toEqual(before);
  });

  test.each([
    ["x-amz-write-offset-bytes", "1"],
    ["x-amz-server-side-encryption-customer-algorithm", "AES256"],
    ["x-amz-object-lock-mode", "GOVERNANCE"],
    ["x-amz-object-lock-legal-hold", "ON"],
    ["x-amz-rename-source", "/other"],
  ])("the header %s", async (name, value) => {
    const before = await contents();
    for (const { key, body } of OBJECTS) {
      const put = await s3("PUT", `${BUCKET}/${key}`, { headers: { [name]: value }, body });
      expect(codeOf(put), key).toBe("501 NotImplemented");
      expect(put.text).toContain(name);
    }
    expect(await contents()).toEqual(before);
  });

  test.each(OF_BUCKETS)("?%s of the bucket, by every method", async (query) => {
    for (const method of ["GET", "PUT", "POST", "DELETE"]) {
      const body = method === "PUT" || method === "POST" ? { body: "<x/>" } : {};
      for (const path of [BUCKET, `${BUCKET}/`]) {
        expect(codeOf(await s3(method, path, { query, ...body })), method).toBe("501 NotImplemented");
      }
    }
  });

  test("settings cannot be changed", async () => {
    for (const setting of ["versioning", "policy", "cors", "lifecycle", "tagging", "encryption", "website"]) {
      for (const method of ["PUT", "DELETE"]) {
        expect(codeOf(await s3(method, BUCKET, { query: setting }))).toBe("501 NotImplemented");
      }
    }
  });
});

test("without a signature unknown parameters are ignored, as Nix needs it", async () => {
  for (const { key, body } of OBJECTS) {
    await store(key, body);
    expect((await cache.get(`/${key}?acl`)).text, key).toBe(body);
  }
  for (const path of ["/?acl", "/?versioning", `/${BUCKET}?uploads`, "/nix-cache-info?tagging"]) {
    expect((await cache.get(path)).status, path).toBe(200);
  }
});

test("what SDKs add to tell their operations apart changes nothing", async () => {
  const path = await testPath();
  const put = await s3("PUT", `${BUCKET}/${path.narKey}`, { query: "x-id=PutObject", body: path.nar });
  expect(put.status).toBe(200);
  const get = await s3("GET", `${BUCKET}/${path.narKey}`, {
    query: "x-id=GetObject&x-amz-checksum-mode=ENABLED",
  });
  expect([get.status, get.bytes]).toEqual([200, path.nar]);
});

test("a name with a question mark is no query", async () => {
  const log = `log/${"0".repeat(32)}-a?acl=b.drv`;
  expect((await cache.put(`/${log}`, "text")).status).toBe(201);
  expect((await s3("GET", `${BUCKET}/${log}`)).text).toBe("text");
});

describe("settings of the bucket that are not set", () => {
  test.each([
    ["location", "200"],
    ["versioning", "200"],
    ["accelerate", "200"],
    ["logging", "200"],
    ["notification", "200"],
    ["requestPayment", "200"],
    ["cors", "404 NoSuchCORSConfiguration"],
    ["policy", "404 NoSuchBucketPolicy"],
    ["lifecycle", "404 NoSuchLifecycleConfiguration"],
    ["tagging", "404 NoSuchTagSet"],
    ["encryption", "404 ServerSideEncryptionConfigurationNotFoundError"],
    ["object-lock", "404 ObjectLockConfigurationNotFoundError"],
    ["website", "404 NoSuchWebsiteConfiguration"],
    ["replication", "404 ReplicationConfigurationNotFoundError"],
    ["publicAccessBlock", "404 NoSuchPublicAccessBlockConfiguration"],
    ["ownershipControls", "404 OwnershipControlsNotFoundError"],
  ])("?%s: %s", async (query, expected) => {
    for (const path of [BUCKET, `${BUCKET}/`]) {
      const answer = await s3("GET", path, { query });
      expect(codeOf(answer)).toBe(expected);
      expect(answer.headers.get("Content-Type")).toBe("application/xml");
    }
  });
});

describe("the bucket", () => {
  test("without parameters lists by ListObjects", async () => {
    for (const { key, body } of OBJECTS) await store(key, body);
    const all = OBJECTS.map(({ key }) => key).sort();
    for (const path of [BUCKET, `${BUCKET}/`]) {
      const { status, text, headers } = await s3("GET", path);
      expect([status, elementsOf(text, "Key")]).toEqual([200, all]);
      expect(text).toMatch(/<Marker><\/Marker>/);
      expect(headers.get("x-amz-bucket-region")).toBe("auto");
    }
  });

  test("tells its region", async () => {
    for (const path of [BUCKET, `${BUCKET}/`]) {
      const head = await s3("HEAD", path);
      expect([head.status, head.headers.get("x-amz-bucket-region")]).toEqual([200, "auto"]);
      expect((await cache.head(`/${path}`)).headers.get("x-amz-bucket-region")).toBe("auto");
    }
  });

  test("is one of the buckets of this address", async () => {
    expect(elementsOf((await s3("GET", "")).text, "Name")).toEqual([BUCKET]);
  });

  test("is here already to clients that create it", async () => {
    for (const path of [BUCKET, `${BUCKET}/`]) {
      expect(codeOf(await s3("PUT", path))).toBe("409 BucketAlreadyOwnedByYou");
    }
    const reader = s3Client(cacheWith({ PULL_TOKEN }), { accessKey: "pull", secret: PULL_TOKEN });
    expect(codeOf(await reader("PUT", BUCKET))).toBe("403 AccessDenied");
    expect((await cache.fetch("/", { method: "PUT" })).status).toBe(405);
  });

  test("of another name is none", async () => {
    for (const path of ["unknown", "unknown/", "unknown/x", "unknown/nar/x", "unknown/log"]) {
      expect(codeOf(await s3("GET", path)), path).toBe("404 NoSuchBucket");
      expect((await s3("HEAD", path)).status).toBe(404);
    }
    expect(codeOf(await s3("GET", "unknown", { query: "list-type=2" }))).toBe("404 NoSuchBucket");
    expect(codeOf(await s3("PUT", "unknown/nar/x", { body: "x" }))).toBe("404 NoSuchBucket");
    expect(codeOf(await s3("GET", `${BUCKET}/unknown`))).toBe("404 NoSuchKey");
  });

  test("of another name is none, also where a name may be a secret", async () => {
    const hiding = cacheWith({ ADMIN_TOKEN: "admin", CACHES: { secret: { private: true } } });
    const stranger = s3Client(hiding);
    for (const path of ["secret", "other", "secret/nar/x", "other/nar/x"]) {
      expect(codeOf(await stranger("GET", path)), path).toMatch(/^(403|404) (?!NoSuchKey)/);
    }
    const [one, two] = [await stranger("GET", "secret"), await stranger("GET", "other")];
    expect(one.text.replaceAll("secret", "other")).toBe(two.text);
  });
});

describe("listings of what S3 has more of", () => {
  test("versions: one of each object", async () => {
    for (const { key, body } of OBJECTS) await store(key, body);
    const all = OBJECTS.map(({ key }) => key).sort();
    const found: string[] = [];
    let more = "";
    for (let page = 0; page < all.length; page++) {
      const { text } = await s3("GET", BUCKET, { query: `versions&max-keys=2${more}` });
      found.push(...elementsOf(text, "Key"));
      expect(new Set(elementsOf(text, "VersionId"))).toEqual(new Set(["null"]));
      const next = elementOf(text, "NextKeyMarker");
      if (next === undefined) break;
      more = `&key-marker=${encodeURIComponent(next)}&version-id-marker=null`;
    }
    expect(found).toEqual(all);
  });

  test("uploads in flight, page by page", async () => {
    const nars = await Promise.all([largeNar(1), largeNar(2)]);
    const begun: string[] = [];
    for (const { key } of [...nars, ...nars]) begun.push(`${key} ${await begin(cache, key)}`);
    const found: string[] = [];
    let more = "";
    for (let page = 0; page < 10; page++) {
      const { text } = await s3("GET", BUCKET, { query: `uploads&max-uploads=1${more}` });
      const [keysOf, ids] = [elementsOf(text, "Key"), elementsOf(text, "UploadId")];
      found.push(...keysOf.map((key, index) => `${key} ${ids[index]}`));
      if (elementOf(text, "IsTruncated") === "false") break;
      const [key, id] = [elementOf(text, "NextKeyMarker"), elementOf(text, "NextUploadIdMarker")];
      more = `&key-marker=${encodeURIComponent(key ?? "")}&upload-id-marker=${encodeURIComponent(id ?? "")}`;
    }
    expect(found).toEqual(begun.sort());
    const key = nars[0]?.key ?? "";
    const ofOne = await s3("GET", BUCKET, { query: `uploads&prefix=${encodeURIComponent(key)}` });
    expect(elementsOf(ofOne.text, "Key")).toEqual([key, key]);
    const after = await s3("GET", BUCKET, { query: "uploads&key-marker=nar0" });
    expect(elementsOf(after.text, "Key")).toEqual([]);
  });
});

test("an empty continuation token is echoed", async () => {
  const { text } = await s3("GET", BUCKET, { query: "list-type=2&continuation-token=" });
  expect(elementOf(text, "ContinuationToken")).toBe("");
  expect(await keys()).toEqual([]);
});
