/** Uploading realisations of both forms: what is refused, what is stored, what the client is told. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { generateSecretKey, parseSecretKey } from "../../src/nix/keys.ts";
import { parseRealisation } from "../../src/nix/realisation.ts";
import { signRealisation } from "../../src/nix/realisation-fingerprint.ts";
import { cacheWith, contents, keys } from "../support/cache.ts";
import { signatureBy } from "../support/catalog.ts";
import { captureLog } from "../support/log.ts";
import { REALISATIONS } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";
import { push, testPath } from "../support/store-paths.ts";

afterEach(reset);
captureLog();

const MAX_BYTES = 64 * 1024;
const OTHER = `${"1".repeat(32)}-demo`;
const cache = cacheWith();

describe.each(REALISATIONS)("a $kind", ({ kind, key, body, contentType }) => {
  const changed = (fields: object) => JSON.stringify({ ...JSON.parse(body), ...fields });
  /** With an unknown field that fills it up. */
  const sized = (bytes: number) => {
    const frame = changed({ z: "" }).length;
    return changed({ z: "x".repeat(bytes - frame) });
  };

  test("is stored as Nix writes it", async () => {
    expect(await cache.put(`/${key}`, ` ${body}\n`)).toMatchObject({ status: 201, text: `stored ${key}\n` });
    expect(await contents()).toEqual({ [key]: body });
    expect((await env.BUCKET.head(key))?.httpMetadata).toEqual({ contentType });
    expect((await cache.get(`/${key}`)).text).toBe(body);
  });

  test("is stored plain where it came compressed", async () => {
    const sent = new Uint8Array(gzipSync(body));
    expect((await cache.put(`/${key}`, sent, { "Content-Encoding": "gzip" })).status).toBe(201);
    expect(await contents()).toEqual({ [key]: body });
    expect((await env.BUCKET.head(key))?.httpMetadata).toEqual({ contentType });
  });

  test("that is there already is left alone, one with a new signature merged", async () => {
    await cache.put(`/${key}`, body);
    expect(await cache.put(`/${key}`, body)).toMatchObject({ status: 200, text: `${key} is already here\n` });
    const signed = await cache.put(`/${key}`, changed({ signatures: [signatureBy("a-1")] }));
    expect(signed).toMatchObject({ status: 200, text: expect.stringContaining("brought up to date") });
    expect((await cache.get(`/${key}`)).text).toContain("a-1");
  });

  test("of another output is kept out, and the client told", async () => {
    const path = await testPath();
    await push(cache, path);
    const first = changed({ outPath: path.info.storePath.baseName });
    await cache.put(`/${key}`, first);
    const answer = await cache.put(`/${key}`, changed({ outPath: OTHER }));
    expect(answer).toMatchObject({ status: 200, text: expect.stringContaining("with another output") });
    expect((await cache.get(`/${key}`)).text).toBe(first);
  });

  test.each([
    ["nothing", "", 400],
    ["no JSON", "hello", 400],
    ["cut", body.slice(0, -3), 400],
    ["a list", "[]", 400],
    ["without an output", "{}", 400],
    ["with an output that is no store path", changed({ outPath: "demo" }), 400],
    ["with a malformed signature", changed({ signatures: ["a-1:AAAA"] }), 400],
    ["with signatures that are no list", changed({ signatures: {} }), 400],
    ["nested beyond all sense", `${body.slice(0, -1)},"z":${"[".repeat(20_000)}${"]".repeat(20_000)}}`, 400],
    ["not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400],
    ["too large", sized(MAX_BYTES + 1), 413],
  ])("%s is refused and leaves nothing", async (_, sent, status) => {
    const message = expectRefusal(await cache.put(`/${key}`, sent), status);
    if (status === 400 && typeof sent === "string") expect(message).toMatch(new RegExp(`^${kind}: `));
    expect(await keys()).toEqual([]);
  });

  test("may be as large as its limit, also decoded", async () => {
    expect((await cache.put(`/${key}`, sized(MAX_BYTES))).status).toBe(201);
    const bomb = new Uint8Array(gzipSync(sized(MAX_BYTES + 1)));
    expectRefusal(await cache.put(`/${key}`, bomb, { "Content-Encoding": "gzip" }), 413);
  });

  test("that the cache's signature would make too large to be read again is refused", async () => {
    const { secret } = await generateSecretKey("own-1");
    const signing = cacheWith({ SIGNING_KEY: secret });
    expect(expectRefusal(await signing.put(`/${key}`, sized(MAX_BYTES)), 413)).toContain(
      "all its signatures",
    );
    expect(await keys()).toEqual([]);
  });

  test("needs a signature by a trusted key, where the cache has one", async () => {
    const [builder, other] = await Promise.all(
      ["builder-1", "other-1"].map((name) => generateSecretKey(name)),
    );
    const trusting = cacheWith({ TRUSTED_PUBLIC_KEYS: builder?.public ?? "" });
    const signedBy = async (secret = "") => {
      const signatures = await signRealisation(await parseSecretKey(secret), parseRealisation(key, body));
      return changed({ signatures });
    };
    for (const sent of [
      body,
      await signedBy(other?.secret),
      changed({ signatures: [signatureBy("builder-1")] }),
    ]) {
      expect(expectRefusal(await trusting.put(`/${key}`, sent), 403)).toContain("builder-1");
    }
    expect(await keys()).toEqual([]);
    expect((await trusting.put(`/${key}`, await signedBy(builder?.secret))).status).toBe(201);
  });
});

test("a realisation whose id is not that of its name is refused", async () => {
  const [{ key, body } = { key: "", body: "" }] = REALISATIONS;
  const sent = body.replace("!out", "!dev");
  expect(expectRefusal(await cache.put(`/${key}`, sent), 400)).toContain("id: ");
});
