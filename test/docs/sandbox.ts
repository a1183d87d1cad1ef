// The machine that the documents' commands believe to run on: a folder with its own home, /etc, Nix store, flakes and
// programs. Nothing outside is changed.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newClient, scratchDir } from "../real-nix/client.ts";
import { PROJECT } from "./markdown.ts";

/** Folders of the root that commands may name; each lies in the sandbox. */
export const ROOT_FOLDERS = ["etc", "run", "srv", "tmp", "var"] as const;

export interface Sandbox {
  readonly dir: string;
  /** Where a user's commands run: a folder with a flake and ./result. */
  readonly work: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A flake without inputs, whose builds need only /bin/sh. */
const flake = (salt: string) => `{
  outputs = { self }:
    let
      build = system: name: derivation {
        inherit name system;
        builder = "/bin/sh";
        args = [ "-c" "echo \${name} ${salt} > $out" ];
      };
      packages = system: builtins.listToAttrs (map
        (name: { inherit name; value = build system name; })
        [ "default" "app" "hello" "image" "a" "b" ]);
      all = builtins.listToAttrs (map
        (name: { inherit name; value = packages name; })
        [ "x86_64-linux" "aarch64-linux" ]);
    in {
      packages = all;
      devShells = all;
      legacyPackages = all;
    };
}
`;

/** Its store is the one in the folder `physical`, so that builds need no namespaces. */
export function newSandbox(physical: string, name: string): Sandbox {
  const client = newClient({ physical });
  const dir = scratchDir();
  const home = join(dir, "home");
  const work = join(home, "work");
  const bin = join(dir, "bin");
  const nixpkgs = join(dir, "nixpkgs");
  for (const folder of [work, bin, nixpkgs, ...ROOT_FOLDERS.map((each) => join(dir, each))]) {
    mkdirSync(folder, { recursive: true });
  }
  for (const folder of ["etc/nix", "etc/nixos", "run/secrets", "var/lib"]) {
    mkdirSync(join(dir, folder), { recursive: true });
  }
  const salt = `${name} ${dir}`;
  writeFileSync(join(work, "flake.nix"), flake(salt));
  writeFileSync(
    join(work, "default.nix"),
    `(builtins.getFlake (toString ./.)).packages.\${builtins.currentSystem}.default\n`,
  );
  writeFileSync(join(nixpkgs, "flake.nix"), flake(`nixpkgs ${salt}`));
  writeFileSync(
    join(dir, "etc/nix/nix.conf"),
    [
      "experimental-features = nix-command flakes",
      "substituters =",
      "trusted-public-keys =",
      "sandbox = false",
      "build-users-group =",
      "builders =",
      "flake-registry =",
      "",
    ].join("\n"),
  );
  mkdirSync(join(home, ".config/nix"), { recursive: true });
  const from = { type: "indirect", id: "nixpkgs" };
  const to = { type: "path", path: nixpkgs };
  writeFileSync(
    join(home, ".config/nix/registry.json"),
    JSON.stringify({ version: 2, flakes: [{ from, to, exact: false }] }),
  );
  // The user is root here, and there are no services.
  const programs = {
    sudo: 'exec "$@"',
    systemctl: 'echo "systemctl $*"',
    "nix-cache": `case "$*" in "hook install"*) echo "changes the machine: not to be run here" >&2; exit 1 ;; esac
exec '${PROJECT}/bin/node' '${PROJECT}/src/client/main.ts' "$@"`,
  };
  for (const [program, text] of Object.entries(programs)) {
    writeFileSync(join(bin, program), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, program), 0o755);
  }
  return {
    dir,
    work,
    env: {
      ...client.env,
      PATH: `${bin}:${client.env.PATH}`,
      HOME: home,
      TMPDIR: join(dir, "tmp"),
      XDG_CACHE_HOME: join(home, ".cache"),
      XDG_CONFIG_HOME: join(home, ".config"),
      XDG_STATE_HOME: join(home, ".local/state"),
      XDG_DATA_HOME: join(home, ".local/share"),
      XDG_RUNTIME_DIR: join(dir, "run"),
      // npx takes no package that the project does not have.
      npm_config_yes: "false",
      NIX_CONF_DIR: join(dir, "etc/nix"),
      NIX_USER_CONF_FILES: join(home, ".config/nix/nix.conf"),
    },
  };
}
