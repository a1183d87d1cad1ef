// Builds that use the cache: a dependency from it instead of a build, content-addressed outputs, logs.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { newKey } from "./keys.ts";
import {
  type Client,
  describeNix,
  emptyStore,
  newClient,
  nixAtLeast,
  removeScratch,
  scratchDir,
} from "./nix.ts";
import { type Server, startServer } from "./server.ts";

describeNix("builds", () => {
  const key = newKey("cache.test-1");
  let server: Server;
  let physical: string;
  let file: string;

  // Every builder leaves a mark outside the store, which shows whether it ran.
  const marks = (name: string) => {
    const mark = join(physical, `${name}.mark`);
    return existsSync(mark) ? readFileSync(mark, "utf8") : "";
  };
  const expression = () => `
    { name ? "logged" }:
    let
      build = name: attributes: command: derivation ({
        inherit name;
        system = builtins.currentSystem;
        builder = "/bin/sh";
        args = [ "-c" "echo log of \${name}; echo built >> ${physical}/\${name}.mark; \${command}" ];
      } // attributes);
      floating = { __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; };
    in rec {
      dependency = build "dependency" { } "echo from the cache > $out";
      top = build "top" { } "read line < \${dependency}; echo top $line > $out";
      logged = build name { } "echo > $out";
      ca = build "ca" floating "echo $out > $out";
      caTop = build "caTop" floating "read line < \${ca}; echo $line > $out";
    }`;

  const pusher = () => newClient({ physical, token: "push" });
  const puller = () =>
    newClient({ physical, conf: [`substituters = ${server.url}`, `trusted-public-keys = ${key.public}`] });

  beforeAll(async () => {
    physical = scratchDir();
    file = join(physical, "default.nix");
    writeFileSync(file, expression());
    server = await startServer({
      PUSH_TOKEN: "push",
      SIGNING_KEY: key.secret,
      STORE_DIR: `${physical}/store`,
    });
  });
  beforeEach(() => emptyStore(physical));
  afterAll(async () => {
    await server.stop();
    removeScratch();
  });

  /** Builds an attribute of the expression and returns its output path. */
  async function build(client: Client, attribute: string, name = "logged"): Promise<string> {
    const json = await client.nix(
      "build",
      "--no-link",
      "--json",
      "-f",
      file,
      "--argstr",
      "name",
      name,
      attribute,
    );
    const [result]: { outputs: { out: string } }[] = JSON.parse(json);
    if (result === undefined) throw new Error(`nix build said ${json}`);
    return result.outputs.out;
  }

  test("a dependency in the cache is not built", async () => {
    await pusher().nix("copy", "--to", server.url, "-f", file, "dependency");
    expect(marks("dependency")).toBe("built\n");
    emptyStore(physical);

    const out = await build(puller(), "top");
    expect(readFileSync(out, "utf8")).toBe("top from the cache\n");
    expect(marks("top")).toBe("built\n");
    expect(marks("dependency")).toBe("built\n");
  });

  test("a content-addressed output and its realisation", async () => {
    await pusher().nix("copy", "--to", server.url, "-f", file, "caTop");
    const pushed = await build(pusher(), "caTop");
    const content = readFileSync(pushed, "utf8");
    expect(marks("ca") + marks("caTop")).toBe("built\nbuilt\n");
    emptyStore(physical);

    expect(await build(puller(), "caTop")).toBe(pushed);
    expect(readFileSync(pushed, "utf8")).toBe(content);
    expect(marks("ca") + marks("caTop")).toBe("built\nbuilt\n");
  });

  // Every version sends the `?` raw. From 2.32 Nix parses what follows as a query and drops a part that
  // has no `=`, the `.drv` of `what?.drv` for one.
  const LOGGED = ["log+of=this", "query?a=b+c", ...(nixAtLeast(2, 32) ? [] : ["what?"])];
  test.each(LOGGED)("the log of a build named %s", async (name) => {
    const client = pusher();
    const out = await build(client, "logged", name);
    await client.nix("copy", "--to", server.url, out);
    await client.nix("store", "copy-log", "--to", server.url, "-f", file, "--argstr", "name", name, "logged");
    emptyStore(physical);

    expect(await puller().nix("log", out)).toBe(`log of ${name}\n`);
    expect(await puller().nix("log", "--store", server.url, out)).toBe(`log of ${name}\n`);
  });

  test.skipIf(!nixAtLeast(2, 32)).each(["br", "gzip", "zstd"])(
    "a log compressed with %s (a setting that Nix has since 2.32)",
    async (encoding) => {
      const name = `log-${encoding}`;
      const client = pusher();
      const out = await build(client, "logged", name);
      const url = `${server.url}?log-compression=${encoding}`;
      await client.nix("copy", "--to", url, out);
      await client.nix("store", "copy-log", "--to", url, "-f", file, "--argstr", "name", name, "logged");
      emptyStore(physical);

      expect(await puller().nix("log", out)).toBe(`log of ${name}\n`);
    },
  );
});
