/** Signing with every SIGNING_KEY, and requiring TRUSTED_PUBLIC_KEYS. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { fingerprint } from "../../../src/nix/fingerprint.ts";
import { generateSecretKey, parsePublicKey, parseSecretKey, sign, verify } from "../../../src/nix/keys.ts";
import { formatNarInfo, type NarInfo, parseNarInfo } from "../../../src/nix/narinfo.ts";
import { keyText, narInfos, narOf, VERSIONS } from "../../nix/fixtures.ts";
import { cacheWith, reindex, store, type TestCache } from "../../support/cache.ts";
import { captureLog } from "../../support/log.ts";
import { HASH } from "../../support/objects.ts";
import { expectRefusal } from "../../support/refusal.ts";
import { push, type TestPath, testPath } from "../../support/store-paths.ts";

afterEach(reset);
captureLog();

const [A, B, STRANGER] = await Promise.all(
  ["a-1", "b-1", "stranger-1"].map((name) => generateSecretKey(name)),
);
const FORGED = new Uint8Array(64).fill(7).toBase64();

if (A === undefined || B === undefined || STRANGER === undefined) throw new Error("no keys");

async function signedBy(path: TestPath, ...secrets: { secret: string }[]): Promise<string> {
  const text = fingerprint(path.info);
  const signatures = await Promise.all(
    secrets.map(async ({ secret }) => sign(await parseSecretKey(secret), text)),
  );
  return formatNarInfo({ ...path.info, signatures });
}

async function published(cache: TestCache, { key }: TestPath): Promise<NarInfo> {
  return parseNarInfo((await cache.get(`/${key}`)).text, "/nix/store");
}

describe("signing", () => {
  const both = cacheWith({ SIGNING_KEY: `${A.secret}\n${B.secret}\n` });

  test("with every key, and Nix's rules verify it", async () => {
    const dependencies = [await testPath("b"), await testPath("a")];
    const references = dependencies.map(({ info }) => info.storePath.baseName);
    const path = await testPath("signed", "signed", { references });
    for (const each of [...dependencies, path]) expect((await push(both, each)).status).toBe(201);
    const info = await published(both, path);
    expect(info.signatures.map((signature) => signature.split(":")[0])).toEqual(["a-1", "b-1"]);
    for (const { public: text } of [A, B]) {
      const key = await parsePublicKey(text);
      expect(await verify([key], fingerprint(info), info.signatures)).toBe(key.name);
    }
  });

  test("a key named with letters beyond ASCII, by the pusher and by this cache", async () => {
    const [theirs, ours] = [await generateSecretKey("schlüssel-1"), await generateSecretKey("鍵-1")];
    const cache = cacheWith({ SIGNING_KEY: ours.secret, TRUSTED_PUBLIC_KEYS: theirs.public });
    const path = await testPath("signed");
    const answer = await push(cache, { ...path, text: await signedBy(path, theirs) });
    expect(answer.status).toBe(201);
    const { signatures } = await published(cache, path);
    expect(signatures.map((signature) => signature.split(":")[0]).sort()).toEqual(["schlüssel-1", "鍵-1"]);
  });

  test("the refusal of a signature shows the letters of its key's name", async () => {
    const path = await testPath("signed");
    const answer = await push(cacheWith({}), { ...path, text: `${path.text}Sig: schlüssel-1=AAAA\n` });
    expect(expectRefusal(answer, 400)).toContain("schlüssel-1=AAAA");
  });

  test.each(VERSIONS)("with a key of Nix %s gives Nix's own signature", async (version) => {
    const cache = cacheWith({ SIGNING_KEY: keyText(version, "secret1") });
    const [real] = narInfos.filter((one) => one.version === version && one.folder === "none");
    if (real === undefined) throw new Error("no fixture");
    const info = parseNarInfo(real.text, "/nix/store");
    const nar = await narOf(real, info.url);
    const path = { key: `${real.hash}.narinfo`, narKey: info.url, nar, info, text: real.text };
    await store(path.narKey, nar);
    await store(path.key, real.text.replace(/^Sig: .*\n/gm, ""));
    await reindex();
    expect((await cache.put(`/${path.key}`, real.text.replace(/^Sig: .*\n/gm, ""))).status).toBe(200);
    expect((await published(cache, path)).signatures).toEqual(info.signatures);
  });

  test("keeps the client's signatures, before its own", async () => {
    const path = await testPath();
    await push(both, path, await signedBy(path, STRANGER));
    expect((await published(both, path)).signatures.map((text) => text.split(":")[0])).toEqual([
      "stranger-1",
      "a-1",
      "b-1",
    ]);
  });

  test("not twice: a path signed by all keys is not written again", async () => {
    const path = await testPath();
    await push(both, path);
    const before = await published(both, path);
    expect(await both.put(`/${path.key}`, path.text)).toMatchObject({
      status: 200,
      text: expect.stringMatching(/already here/),
    });
    expect(await both.put(`/${path.key}`, await signedBy(path, B))).toMatchObject({ status: 200 });
    expect(await published(both, path)).toEqual(before);
  });

  test("a new key signs what is pushed again", async () => {
    const path = await testPath();
    await push(cacheWith({ SIGNING_KEY: A.secret }), path);
    await both.put(`/${path.key}`, path.text);
    expect((await published(both, path)).signatures).toHaveLength(2);
  });

  test("a signature forged under the name of our key is replaced by ours", async () => {
    const path = await testPath();
    const signatures = [`a-1:${FORGED}`, `stranger-1:${FORGED}`];
    await push(both, path, formatNarInfo({ ...path.info, signatures }));
    const info = await published(both, path);
    expect(info.signatures).not.toContain(`a-1:${FORGED}`);
    expect(info.signatures.map((text) => text.split(":")[0])).toEqual(["stranger-1", "a-1", "b-1"]);
  });

  test("the first of two builds keeps its signatures; the other one is never signed", async () => {
    const [first, second] = [await testPath("hello-1.0"), await testPath("hello-1.0", "another build")];
    await push(both, first);
    await push(both, second, await signedBy(second, STRANGER));
    const info = await published(both, first);
    expect(info.signatures).toHaveLength(2);
    expect(await verify([await parsePublicKey(A.public)], fingerprint(info), info.signatures)).toBe("a-1");
  });

  test("without a key nothing is signed", async () => {
    const path = await testPath();
    await push(cacheWith(), path);
    expect((await published(cacheWith(), path)).signatures).toEqual([]);
  });
});

describe("trusted keys", () => {
  const cache = cacheWith({ TRUSTED_PUBLIC_KEYS: [A.public, B.public], SIGNING_KEY: STRANGER.secret });

  test.each([
    ["one of them", [A]],
    ["the other", [B]],
    ["both", [A, B]],
    ["one of them and a stranger", [STRANGER, B]],
  ])("signed by %s: published", async (_, secrets) => {
    const path = await testPath();
    expect((await push(cache, path, await signedBy(path, ...secrets))).status).toBe(201);
  });

  test.each<[string, (path: TestPath) => Promise<string>]>([
    ["nobody", async ({ text }) => text],
    ["a stranger, even if the Worker signs by that key itself", (path) => signedBy(path, STRANGER)],
    ["a forged signature", async ({ info }) => formatNarInfo({ ...info, signatures: [`a-1:${FORGED}`] })],
    [
      "one of them, of another path",
      async ({ info }) => {
        const other = parseNarInfo(await signedBy(await testPath("other"), A), "/nix/store");
        return formatNarInfo({ ...info, signatures: other.signatures });
      },
    ],
    [
      "one of them, of another build",
      async ({ info }) => {
        const other = parseNarInfo(await signedBy(await testPath("hello-1.0", "another"), A), "/nix/store");
        return formatNarInfo({ ...info, signatures: other.signatures });
      },
    ],
    [
      "one of them, of other references",
      async (path) => (await signedBy(path, A)).replace(/^References: .*$/m, `References: ${HASH}-evil`),
    ],
    [
      "a stranger under the name of one of them",
      async (path) => (await signedBy(path, STRANGER)).replace("Sig: stranger-1:", "Sig: a-1:"),
    ],
  ])("signed by %s: 403, and the message says by whom it should be", async (_, textOf) => {
    const path = await testPath();
    const line = expectRefusal(await push(cache, path, await textOf(path)), 403);
    expect(line).toMatch(
      /no valid signature by a key that this cache trusts \(a-1, b-1\); sign it: nix store sign/,
    );
    expectRefusal(await cache.get(`/${path.key}`), 404);
  });

  test("to a published path only those who are trusted add", async () => {
    const path = await testPath();
    await push(cache, path, await signedBy(path, A));
    expectRefusal(await cache.put(`/${path.key}`, await signedBy(path, STRANGER)), 403);
    expect((await cache.put(`/${path.key}`, await signedBy(path, B))).status).toBe(200);
  });
});

test("8,000 signatures forged in the name of a trusted key are refused after 64 verifications", async () => {
  const path = await testPath("forged");
  const signatures = Array.from({ length: 8000 }, (_, n) => {
    const bytes = new Uint8Array(64);
    new DataView(bytes.buffer).setUint32(0, n);
    return `a-1:${bytes.toBase64()}`;
  });
  const cache = cacheWith({ TRUSTED_PUBLIC_KEYS: A.public });
  const verified = vi.spyOn(crypto.subtle, "verify");
  try {
    expectRefusal(await push(cache, path, formatNarInfo({ ...path.info, signatures })), 403);
    expect(verified).toHaveBeenCalledTimes(64);
  } finally {
    verified.mockRestore();
  }
});
