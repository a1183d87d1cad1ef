/** Keys and signatures: those that Nix has made are right here, and ours are the same. */
import { describe, expect, test } from "vitest";
import { fingerprint } from "../../src/nix/fingerprint.ts";
import { FormatError } from "../../src/nix/format-error.ts";
import { generateSecretKey, parsePublicKey, parseSecretKey, sign, verify } from "../../src/nix/keys.ts";
import { parseNarInfo } from "../../src/nix/narinfo.ts";
import cacheNixosOrg from "../fixtures/signatures.json";
import { keyText, narInfos, VERSIONS } from "./fixtures.ts";

describe.each(narInfos)("Nix $version, $folder, $hash", ({ version, text }) => {
  const info = parseNarInfo(text, "/nix/store");

  test("every signature verifies", async () => {
    const keys = [
      await parsePublicKey(keyText(version, "public1")),
      await parsePublicKey(keyText(version, "public2")),
    ];
    expect(info.signatures.length).toBeGreaterThan(0);
    for (const signature of info.signatures) {
      const [name] = signature.split(":");
      expect(await verify(keys, fingerprint(info), [signature])).toBe(name);
    }
  });

  test("ours is Nix's", async () => {
    const key = await parseSecretKey(keyText(version, "secret1"));
    expect(await sign(key, fingerprint(info))).toBe(info.signatures[0]);
  });
});

test.each(cacheNixosOrg.vectors)(
  "cache.nixos.org: $fingerprint",
  async ({ fingerprint: text, signature }) => {
    const key = await parsePublicKey(cacheNixosOrg.publicKey);
    const signatures = [`cache.nixos.org-1:${signature}`];
    expect(await verify([key], text, signatures)).toBe("cache.nixos.org-1");
    expect(await verify([key], `${text} `, signatures)).toBeUndefined();
  },
);

describe("fingerprint", () => {
  const [text = ""] = narInfos.filter(({ hash }) => hash.startsWith("4crv")).map((fixture) => fixture.text);
  const info = parseNarInfo(text, "/nix/store");

  test("does not depend on the references' order or number", () => {
    const references = [...info.references, ...info.references].reverse();
    expect(fingerprint({ ...info, references })).toBe(fingerprint(info));
  });

  test("ends in a semicolon without references", () => {
    expect(fingerprint({ ...info, references: [] })).toBe(
      "1;/nix/store/4crvrnhdg1r8sqc1hblbviqj0iqdajdv-demo-app-1.0;sha256:11hx99lg325wygx585wk5r3a1xczf282w7v79dmwvvhyyhxkc8zb;576;",
    );
  });
});

describe("verify", () => {
  const TEXT = "1;some;text";

  test("the first key with a valid signature, by name and bytes", async () => {
    const a = await parseSecretKey((await generateSecretKey("a-1")).secret);
    const b = await parseSecretKey((await generateSecretKey("b-1")).secret);
    const keys = [await parsePublicKey(a.publicText), await parsePublicKey(b.publicText)];
    const byA = await sign(a, TEXT);
    const byB = await sign(b, TEXT);
    expect(await verify(keys, TEXT, [byB, byA])).toBe("a-1");
    expect(await verify(keys, TEXT, ["", "x", "a-1:AAAA", byB])).toBe("b-1");
    expect(await verify(keys, TEXT, [byA.replace("a-1", "b-1")])).toBeUndefined();
    expect(await verify(keys, "another text", [byA, byB])).toBeUndefined();
    expect(await verify(keys, TEXT, [])).toBeUndefined();
    expect(await verify([], TEXT, [byA])).toBeUndefined();
  });

  test("of two keys with one name, as in a rotation gone wrong, either will do", async () => {
    const old = await parseSecretKey((await generateSecretKey("a-1")).secret);
    const now = await parseSecretKey((await generateSecretKey("a-1")).secret);
    const keys = [await parsePublicKey(old.publicText), await parsePublicKey(now.publicText)];
    expect(await verify(keys, TEXT, [await sign(now, TEXT)])).toBe("a-1");
  });
});

describe("keys", () => {
  test.each(VERSIONS)("Nix %s: the secret key knows its public one", async (version) => {
    const secret = await parseSecretKey(`${keyText(version, "secret1")}\n`);
    expect(secret.name).toBe("test-cache-1");
    expect(secret.publicText).toBe(keyText(version, "public1"));
    expect(secret.key.extractable).toBe(false);
    expect((await parsePublicKey(` ${secret.publicText}\n`)).text).toBe(secret.publicText);
  });

  test("a generated key is a pair in Nix's form", async () => {
    const pair = await generateSecretKey("cache.example.org-1");
    expect(pair.secret).toMatch(/^cache\.example\.org-1:[A-Za-z0-9+/]{86}==$/);
    expect((await parseSecretKey(pair.secret)).publicText).toBe(pair.public);
  });

  test.each(["schlüssel-1", "鍵", "🔑", 'a"b'])("%j names one, as in Nix", async (name) => {
    const pair = await generateSecretKey(name);
    const signature = await sign(await parseSecretKey(pair.secret), "a text");
    expect(await verify([await parsePublicKey(pair.public)], "a text", [signature])).toBe(name);
  });

  test.each(["", "a:b", "a b", "a\n", "a\u00a0", "a\u007f"])("%j cannot name one", async (name) => {
    await expect(generateSecretKey(name)).rejects.toThrow(FormatError);
  });

  const secret = keyText("2.8.0", "secret1");
  const material = secret.slice(secret.indexOf(":") + 1);
  const otherHalf = Uint8Array.fromBase64(material).fill(7, 32).toBase64();

  test.each([
    ["nothing", ""],
    ["no name", `:${material}`],
    ["no colon", material],
    ["the colon forgotten", secret.replace(":", "")],
    ["two colons", `x:${secret}`],
    ["too short", `a:${material.slice(4)}`],
    ["a character that is not base64", `a:!${material.slice(1)}`],
    ["white space inside", `a:${material.slice(0, 40)} ${material.slice(41)}`],
    ["a public key", keyText("2.8.0", "public1")],
    ["halves that do not belong together", `a:${otherHalf}`],
  ])("a secret key with %s is refused without repeating it", async (_, text) => {
    const error: unknown = await parseSecretKey(text).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FormatError);
    for (const part of text.slice(text.indexOf(":") + 1).match(/.{8}/g) ?? []) {
      expect(String(error)).not.toContain(part);
    }
  });

  test("a secret key where a public one belongs is refused without repeating it", async () => {
    const error: unknown = await parsePublicKey(secret).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FormatError);
    expect(String(error)).toContain("test-cache-1");
    expect(String(error)).not.toContain(material.slice(0, 8));
  });
});
