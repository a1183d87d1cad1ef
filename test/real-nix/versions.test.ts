// What every Nix does with a cache, from 2.3 on: `.ci/run` runs this file with more versions than the others.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { newKey } from "./keys.ts";
import { type Client, describeNix, newClient, nixAtLeast, removeScratch, scratchDir } from "./nix.ts";
import { serve } from "./serve.ts";
import { hashPart } from "./store-object.ts";

/** With letters beyond ASCII, which Nix allows in the name of a key. */
const THEIRS = newKey("schlüssel-1");
const OURS = newKey("cache.test-1");

/** The text of an expression. Nix 2.3 takes expressions without a flag. */
function evaluate(client: Client, expression: string): Promise<string> {
  const flags = nixAtLeast(2, 4) ? ["--impure", "--expr"] : [];
  return client.nix("eval", "--raw", ...flags, `(${expression})`);
}

/** A path that refers to another. */
function addPair(client: Client, name: string): Promise<string> {
  return evaluate(client, `builtins.toFile "${name}" "to \${builtins.toFile "${name}-lib" "a library"}"`);
}

describeNix("any Nix", () => {
  const server = serve({ PUSH_TOKEN: "push", SIGNING_KEY: OURS.secret, TRUSTED_PUBLIC_KEYS: THEIRS.public });
  afterAll(removeScratch);

  async function push(name: string, query: string) {
    const client = newClient({ token: "push" });
    const path = await addPair(client, name);
    const key = client.write("key", THEIRS.secret);
    const { code, stderr } = await client.run(
      "copy",
      "--to",
      `${server.url}?secret-key=${key}&${query}`,
      path,
    );
    return { path, code, stderr, text: readFileSync(client.root + path, "utf8") };
  }

  async function pull(path: string, trusted: string): Promise<string> {
    const client = newClient({ conf: [`trusted-public-keys = ${trusted}`] });
    await client.nix("copy", "--from", server.url, path);
    return readFileSync(client.root + path, "utf8");
  }

  const compressions = ["none", "xz", "bzip2", ...(nixAtLeast(2, 4) ? ["zstd"] : [])];

  test.each(compressions)(
    "pushes what it has signed, and pulls what the cache has signed: %s",
    async (compression) => {
      const { path, code, stderr, text } = await push(compression, `compression=${compression}`);
      expect({ code, stderr }).toMatchObject({ code: 0 });
      const narinfo = await (await fetch(`${server.url}/${hashPart(path)}.narinfo`)).text();
      expect(narinfo).toContain(`\nCompression: ${compression}\n`);
      expect(narinfo).toContain("\nSig: schlüssel-1:");
      expect(await pull(path, OURS.public)).toBe(text);
      expect(await pull(path, THEIRS.public)).toBe(text);
    },
  );

  test.skipIf(nixAtLeast(2, 4))("has no zstd before 2.4", async () => {
    const { code, stderr } = await push("zstd", "compression=zstd");
    expect(code).not.toBe(0);
    expect(stderr).toContain("unknown compression method 'zstd'");
  });

  test("pushes a path with a file name that is not UTF-8, and its listing does not stop it", async () => {
    const client = newClient({ token: "push" });
    const dir = join(scratchDir(), "odd");
    mkdirSync(dir);
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/odd-`), Buffer.of(0xff)]), "a file");
    const path = await evaluate(client, `builtins.path { name = "odd"; path = ${dir}; }`);
    const key = client.write("key", THEIRS.secret);
    const url = `${server.url}?secret-key=${key}&write-nar-listing=true`;
    const { code, stderr } = await client.run("copy", "--to", url, path);
    // From 2.26 the listing is made by a library that refuses such names: the push ends before it reaches the cache.
    if (nixAtLeast(2, 9) && code !== 0) return expect(stderr).toMatch(/invalid UTF-8|json/i);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect((await fetch(`${server.url}/${hashPart(path)}.narinfo`)).status).toBe(200);
    expect((await fetch(`${server.url}/${hashPart(path)}.ls`)).status).toBe(404);
  });
});
