// Realisations of content-addressed outputs: signed by the cache, never replaced, their signatures never lost.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newKey } from "./keys.ts";
import { type Client, describeNix, emptyStore, newClient, removeScratch, scratchDir } from "./nix.ts";
import { type Server, startServer } from "./server.ts";

/** An object of a binary cache as Nix writes it: key and text. */
type Doi = { key: string; text: string };

/** Up to 2.34 signatures are `name:base64`, later objects. */
type Content = { outPath: string; signatures: (string | { keyName: string })[] };

describeNix("realisations", () => {
  const key = newKey("cache.test-1");
  const builderKey = newKey("builder.test-1");
  let physical: string;
  let file: string;
  let salt: string;

  // Every build leaves a mark outside the store. `random` is another output with each salt.
  const marks = () => {
    const mark = join(physical, "mark");
    return existsSync(mark) ? readFileSync(mark, "utf8") : "";
  };
  const expression = () => `
    { prefix }:
    let
      build = name: command: derivation {
        name = "\${prefix}-\${name}";
        system = builtins.currentSystem;
        builder = "/bin/sh";
        args = [ "-c" "echo \${prefix}-\${name} >> ${physical}/mark; \${command}" ];
        __contentAddressed = true;
        outputHashMode = "recursive";
        outputHashAlgo = "sha256";
      };
    in rec {
      leaf = build "leaf" "echo \${prefix} > $out";
      top = build "top" "read line < \${leaf}; echo $line \${leaf} > $out";
      random = build "random" "read line < ${salt}; echo $line > $out";
      user = build "user" "read line < \${random}; echo the same > $out";
      other = build "other" "read line < \${random}; echo other $line \${random} > $out";
      both = build "both" "read line < \${random}; echo $line \${random} > $out";
    }`;

  beforeAll(() => {
    physical = scratchDir();
    file = join(physical, "default.nix");
    salt = join(physical, "salt");
    writeFileSync(salt, "first\n");
    writeFileSync(file, expression());
  });
  beforeEach(() => emptyStore(physical));
  afterAll(removeScratch);

  const installable = (prefix: string, ...attributes: string[]) =>
    ["-f", file, "--argstr", "prefix", prefix].concat(attributes);

  /** Builds and pushes an attribute, with an empty store before. Returns its own realisation as it went out. */
  async function push(server: Server, prefix: string, attribute: string, secret?: string): Promise<Doi> {
    emptyStore(physical);
    const keyFile = join(scratchDir(), "key");
    if (secret !== undefined) writeFileSync(keyFile, secret);
    const conf = secret === undefined ? [] : [`secret-key-files = ${keyFile}`];
    const client = newClient({ physical, token: "push", conf });
    const outPath = await build(client, prefix, attribute);
    await client.nix("copy", "--to", server.url, ...installable(prefix, attribute));
    return realisation(client, prefix, attribute, outPath);
  }

  /** Builds an attribute, or takes it from a substituter, and returns the base name of its output. */
  async function build(client: Client, prefix: string, attribute: string): Promise<string> {
    const json = await client.nix("build", "--no-link", "--json", ...installable(prefix, attribute));
    const [result]: { outputs: { out: string } }[] = JSON.parse(json);
    if (result === undefined) throw new Error(`nix build said ${json}`);
    return result.outputs.out.slice(client.storeDir.length + 1);
  }

  /** The object that this Nix version writes into a cache for the attribute, in its own name and form. */
  async function realisation(
    client: Client,
    prefix: string,
    attribute: string,
    outPath: string,
  ): Promise<Doi> {
    const cache = scratchDir();
    await client.nix("copy", "--to", `file://${cache}`, ...installable(prefix, attribute));
    for (const entry of readdirSync(cache, { recursive: true, encoding: "utf8" })) {
      if (!entry.endsWith(".doi")) continue;
      const text = readFileSync(join(cache, entry), "utf8");
      if (content(text).outPath === outPath) return { key: entry, text };
    }
    throw new Error(`Nix wrote no realisation of ${attribute}`);
  }

  const content = (text: string): Content => JSON.parse(text);
  const signers = ({ signatures }: Content) =>
    signatures.map((each) => (typeof each === "string" ? each.split(":")[0] : each.keyName)).sort();

  async function stored(server: Server, name: string): Promise<Content> {
    const response = await fetch(`${server.url}/${name}`);
    expect(response.status).toBe(200);
    return content(await response.text());
  }

  async function put(server: Server, { key: name, text }: Doi): Promise<number> {
    const headers = { Authorization: "Bearer push" };
    const response = await fetch(`${server.url}/${name}`, { method: "PUT", body: text, headers });
    await response.arrayBuffer();
    return response.status;
  }

  /** The same without signatures. */
  const unsigned = ({ key: name, text }: Doi): Doi => ({
    key: name,
    text: JSON.stringify({ ...content(text), signatures: [] }),
  });

  // `require-sigs` is the default. Nix writes the derivation into the store that it copies from: hence the token.
  const copier = () => newClient({ physical, token: "push", conf: [`trusted-public-keys = ${key.public}`] });
  const substituter = (server: Server) =>
    newClient({ physical, conf: [`substituters = ${server.url}`, `trusted-public-keys = ${key.public}`] });

  describe("of a cache that signs", () => {
    let server: Server;
    beforeAll(async () => {
      server = await startServer({
        PUSH_TOKEN: "push",
        SIGNING_KEY: key.secret,
        STORE_DIR: `${physical}/store`,
      });
    });
    afterAll(() => server.stop());

    test("copy --from with require-sigs takes outputs and realisations, and nothing is built after it", async () => {
      const pushed = await push(server, "signed", "top");
      const built = marks();
      emptyStore(physical);

      const client = copier();
      await client.nix("copy", "--from", server.url, ...installable("signed", "top"));
      expect(await build(client, "signed", "top")).toBe(content(pushed.text).outPath);
      expect(marks()).toBe(built);
      expect(signers(await stored(server, pushed.key))).toContain("cache.test-1");
    });

    test("another output of a non-deterministic dependency does not replace the first", async () => {
      const user = await push(server, "random", "both");
      // 2.34 copies no realisations of dependencies along.
      const first = await pushDependency("random", "random");
      writeFileSync(salt, "second\n");
      const second = await push(server, "random", "random");
      writeFileSync(salt, "third\n");
      expect(second.key).toBe(first.key);
      expect(content(second.text).outPath).not.toBe(content(first.text).outPath);
      expect((await stored(server, first.key)).outPath).toBe(content(first.text).outPath);
      expect(await put(server, second)).toBe(200);

      const built = marks();
      for (const [attribute, doi] of [
        ["both", user],
        ["random", first],
      ] as const) {
        emptyStore(physical);
        expect(await build(substituter(server), "random", attribute)).toBe(content(doi.text).outPath);
      }
      emptyStore(physical);
      const client = copier();
      await client.nix("copy", "--from", server.url, ...installable("random", "both"));
      expect(await build(client, "random", "both")).toBe(content(user.text).outPath);
      expect(marks()).toBe(built);
    });

    // A client up to 2.33 aborts if `other` names an output of `random` that is not the one it gets.
    test("what was built with the output that did not become the first can be had beside what was", async () => {
      writeFileSync(salt, "one\n");
      await push(server, "beside", "both");
      await pushDependency("beside", "random");
      writeFileSync(salt, "two\n");
      await push(server, "beside", "other");
      writeFileSync(salt, "three\n");

      for (const attributes of [["other"], ["other", "both"], ["random", "other"]]) {
        emptyStore(physical);
        await substituter(server).nix("build", "--no-link", ...installable("beside", ...attributes));
      }
    });

    test("what uses both outputs of the dependency, and is the same with either, can still be had", async () => {
      writeFileSync(salt, "one\n");
      const user = await push(server, "either", "user");
      writeFileSync(salt, "two\n");
      await push(server, "either", "user");
      const built = marks();
      emptyStore(physical);

      expect(await build(substituter(server), "either", "user")).toBe(content(user.text).outPath);
      expect(marks()).toBe(built);
    });

    test("a later push without signatures removes none", async () => {
      const pushed = await push(server, "kept", "top", builderKey.secret);
      const before = await stored(server, pushed.key);
      expect(new Set(signers(before))).toEqual(new Set(["builder.test-1", "cache.test-1"]));

      await push(server, "kept", "top");
      expect(await stored(server, pushed.key)).toEqual(before);
      expect(await put(server, unsigned(pushed))).toBe(200);
      expect(await stored(server, pushed.key)).toEqual(before);
    });

    test("a later push with a signature adds it", async () => {
      const pushed = await push(server, "added", "top");
      expect(new Set(signers(await stored(server, pushed.key)))).toEqual(new Set(["cache.test-1"]));
      await push(server, "added", "top", builderKey.secret);
      const after = await stored(server, pushed.key);
      expect(new Set(signers(after))).toEqual(new Set(["builder.test-1", "cache.test-1"]));
    });

    /** Pushes existing store paths, as dependencies of a new build. */
    async function pushDependency(prefix: string, attribute: string): Promise<Doi> {
      const client = newClient({ physical, token: "push" });
      await client.nix("copy", "--to", server.url, ...installable(prefix, attribute));
      return realisation(client, prefix, attribute, await build(client, prefix, attribute));
    }
  });

  describe("of a cache that signs only what trusted keys have signed", () => {
    let server: Server;
    beforeAll(async () => {
      server = await startServer({
        PUSH_TOKEN: "push",
        SIGNING_KEY: key.secret,
        TRUSTED_PUBLIC_KEYS: builderKey.public,
        STORE_DIR: `${physical}/store`,
      });
    });
    afterAll(() => server.stop());

    test("a builder with a trusted key pushes, and copy --from accepts the cache's signature", async () => {
      const pushed = await push(server, "trusted", "top", builderKey.secret);
      const built = marks();
      emptyStore(physical);

      const client = copier();
      await client.nix("copy", "--from", server.url, ...installable("trusted", "top"));
      expect(await build(client, "trusted", "top")).toBe(content(pushed.text).outPath);
      expect(marks()).toBe(built);
    });

    test("a realisation that no trusted key has signed is refused, and changes nothing", async () => {
      const pushed = await push(server, "refused", "top", builderKey.secret);
      const before = await stored(server, pushed.key);
      const other = { ...content(pushed.text), outPath: `${"0".repeat(32)}-refused-top` };
      const status = await put(server, { key: pushed.key, text: JSON.stringify(other) });
      expect([400, 403]).toContain(status);
      expect(await stored(server, pushed.key)).toEqual(before);

      emptyStore(physical);
      const client = newClient({ physical, token: "push" });
      await build(client, "untrusted", "leaf");
      const copy = await client.run("copy", "--to", server.url, ...installable("untrusted", "leaf"));
      expect(copy.code).not.toBe(0);
    });
  });
});
