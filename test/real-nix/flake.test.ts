// The flake and its NixOS modules, evaluated and built against a stand-in for nixpkgs (test/fixtures/nixpkgs): nothing is
// fetched, and what nixpkgs itself does with them is not tested.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, describeNix, newClient, removeScratch, scratchDir } from "./nix.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const NIXPKGS = join(ROOT, "test/fixtures/nixpkgs");
const FILES = ["flake.nix", "flake.lock", "nixos", "package.json", "package-lock.json", "src", ".ci"];
const SYSTEM = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-${process.platform}`;

describeNix("the flake", () => {
  let flake: string;
  let client: Client;

  beforeAll(() => {
    const dir = scratchDir();
    flake = join(dir, "flake");
    // Without node_modules, which is no part of it.
    for (const file of FILES) {
      mkdirSync(dirname(join(flake, file)), { recursive: true });
      cpSync(join(ROOT, file), join(flake, file), { recursive: true });
    }
    client = newClient({ physical: dir, conf: ["flake-registry ="] });
    client.env.NIX_CACHE_TEST_ROOT = ROOT;
    client.env.NIX_CACHE_TEST_PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
  });

  afterAll(removeScratch);

  function ofFlake(command: string[], attribute: string): string[] {
    const stubbed = ["--impure", "--no-write-lock-file", "--override-input", "nixpkgs", `path:${NIXPKGS}`];
    return [...command, ...stubbed, `path:${flake}#${attribute}`];
  }

  /** The value of an expression that may use `flake`, `pkgs` and `lib`. */
  async function evaluate(expression: string): Promise<unknown> {
    const nixpkgs = `import ${NIXPKGS}/packages.nix "${SYSTEM}"`;
    return JSON.parse(
      await client.nix(
        ...["eval", "--impure", "--json", "--expr"],
        `let pkgs = ${nixpkgs}; inherit (pkgs) lib; self.packages.${SYSTEM}.default = pkgs.nodejs_24; in ${expression}`,
      ),
    );
  }

  function moduleWith(file: string, given: string): string {
    const others = "{ nix.package = pkgs.nodejs_24; }";
    return `lib.evalModule { module = ${file}; inherit pkgs; others = ${others}; given = ${given}; }`;
  }

  test.each(["x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"])(
    "has a client and a shell for %s",
    async (system) => {
      const shell = JSON.parse(
        await client.nix(...ofFlake(["eval", "--json"], `devShells.${system}.default.drvPath`)),
      );
      expect(shell).toMatch(/-shell\.drv$/);
      const program = JSON.parse(
        await client.nix(...ofFlake(["eval", "--json"], `apps.${system}.default.program`)),
      );
      expect(program).toMatch(/-nix-cache-client-[0-9.]+\/bin\/nix-cache$/);
    },
  );

  test("its shell hands over a workerd for NixOS, and lets npm install no Node", async () => {
    const value = async (name: string) =>
      JSON.parse(await client.nix(...ofFlake(["eval", "--json"], `devShells.${SYSTEM}.default.${name}`)));
    expect(await value("npm_config_ignore_scripts")).toBe("true");
    expect(await value("MINIFLARE_WORKERD_PATH")).toMatch(/-workerd-[0-9.]+\/bin\/workerd$/);
  });

  describe("the module substituter", () => {
    const substituter = (given: string) =>
      evaluate(
        moduleWith(`import ${flake}/nixos/substituter.nix`, `{ services.nix-cache.substituter = ${given}; }`),
      );
    const keys = `publicKeys = [ "cache.example.org-1:AAAA" ];`;

    test("configures Nix", async () => {
      const config = await substituter(`{ enable = true; url = "https://cache.example.org/team"; ${keys} }`);
      expect(config).toMatchObject({
        nix: {
          settings: {
            "extra-substituters": ["https://cache.example.org/team"],
            "extra-trusted-public-keys": ["cache.example.org-1:AAAA"],
          },
        },
      });
      expect(JSON.stringify(config)).not.toContain("netrc-file");
    });

    test("takes a netrc file", async () => {
      const config = `{ enable = true; url = "https://c.example"; ${keys} netrcFile = "/run/secrets/netrc"; }`;
      expect(await substituter(config)).toMatchObject({
        nix: { settings: { "netrc-file": "/run/secrets/netrc" } },
      });
    });

    test("does nothing unless it is enabled", async () => {
      expect(await substituter("{ }")).toEqual({});
    });

    test.each([
      [
        "a file in the store",
        `netrcFile = "\${builtins.storeDir}/x-netrc";`,
        /in the store, where everybody/,
      ],
      ["a path that would be copied to the store", "netrcFile = ./netrc;", /netrcFile.* is not of the type/],
      ["a key that is none", `publicKeys = [ "AAAA" ];`, /publicKeys.* is not of the type/],
    ])("refuses %s", async (_, line, message) => {
      const rest = line.startsWith("publicKeys") ? "" : keys;
      const config = `{ enable = true; url = "https://c.example"; ${rest} ${line} }`;
      await expect(substituter(config)).rejects.toThrow(message);
    });
  });

  describe("the module auto-push", () => {
    const autoPush = (given: string, then = "") =>
      evaluate(
        `(${moduleWith(`import ${flake}/nixos/auto-push.nix self`, `{ services.nix-cache.auto-push = ${given}; }`)})${then}`,
      );
    const given = `{
      enable = true;
      url = "https://cache.example.org";
      tokenFile = "/run/secrets/token";
      exclude = [ "it's" ];
    }`;

    test("runs a service that a socket starts, with the token as a credential", async () => {
      expect(await autoPush(given, ".systemd")).toMatchObject({
        sockets: { "nix-cache-hook": { socketConfig: { ListenStream: "/run/nix-cache-hook.socket" } } },
        services: {
          "nix-cache-hook": {
            environment: { NIX_CACHE_URL: "https://cache.example.org", NIX_CACHE_TOKEN_FILE: "%d/token" },
            serviceConfig: {
              LoadCredential: "token:/run/secrets/token",
              ExecStart: expect.stringMatching(/bin\/nix-cache' 'hook' 'serve' .* '--exclude' 'it'\\''s'$/),
              ProtectSystem: "strict",
            },
          },
        },
      });
    });

    test("its hook fails no build: without OUT_PATHS, and without a client", async () => {
      const hook = await autoPush(given, ".nix.settings.post-build-hook");
      const run = (env: Record<string, string>) =>
        execFileSync("/bin/sh", [String(hook)], { env, stdio: ["ignore", "pipe", "ignore"] }).toString();
      for (const env of [{}, { OUT_PATHS: "" }, { OUT_PATHS: "/nix/store/a-b" }]) expect(run(env)).toBe("");
    });

    test("refuses a token in the store", async () => {
      await expect(
        autoPush(given.replace("/run/secrets", `\${builtins.storeDir}`), ".systemd"),
      ).rejects.toThrow(/in the store, where everybody/);
    });
  });

  test("its package is the client", async () => {
    const link = join(flake, "../result");
    await client.nix(...ofFlake(["build", "--out-link", link], "default"));
    expect(execFileSync(join(link, "bin/nix-cache"), ["--version"], { encoding: "utf8" })).toMatch(
      /^nix-cache /,
    );
  });
});
