// `nix-cache hook install`: a machine with a Nix daemon and systemd that pushes what it builds.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { usage } from "../command/parse.ts";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { Failure } from "../ground/failure.ts";
import { AFTER_INSTALL, type PlannedFile, planned, write } from "../hook/install.ts";
import { thisClient } from "../hook/push.ts";
import { nixConfDir } from "../settings/locations.ts";
import { readSettings } from "../settings/settings.ts";

const NAME = { name: "hook install" };

export const HOOK_INSTALL = command({
  ...NAME,
  summary: "installs the hook and its daemon on a machine with systemd",
  details: [
    "It writes the hook, a socket and a service of systemd, and the line post-build-hook of nix.conf, and prints the commands that start them. On NixOS use the flake's module auto-push.",
  ],
  examples: [
    {
      line: "sudo nix-cache hook install --url https://cache.example.org --token-file /etc/nix/nix-cache-token",
      does: "pushes all that is built on this machine",
    },
    { line: "nix-cache hook install --dry-run --url URL --token-file FILE", does: "shows the files" },
  ],
  flags: {
    exclude: { value: "REGEX", many: true, help: "leaves out the paths whose name it matches" },
    "dry-run": { help: "shows the files and writes none" },
  },
  async run({ flags, global, env, output }) {
    const tokenFile = global["token-file"];
    if (tokenFile === undefined) {
      throw usage(NAME, "it needs --token-file FILE, a file with the token that only root can read");
    }
    const { url } = readSettings(global, env);
    if (existsSync("/etc/NIXOS")) {
      throw new Failure("failed", "NixOS makes these files itself: use the flake's module auto-push");
    }
    const files = planned({
      client: thisClient(),
      url,
      // systemd takes no relative one.
      tokenFile: resolve(tokenFile),
      exclude: flags.exclude,
      nixConfDir: nixConfDir(env),
      path: env.PATH ?? "/nix/var/nix/profiles/default/bin:/usr/bin:/bin",
    });
    const written = flags["dry-run"] ? [] : write(files);
    output.result({ files, written, commands: AFTER_INSTALL }, () =>
      flags["dry-run"] ? files.map(shown).join("\n") : `${told(written)}${AFTER_INSTALL.join("\n")}\n`,
    );
    return EXIT.done;
  },
});

function shown({ file, text }: PlannedFile): string {
  return `# ${file}\n${text}`;
}

function told(written: readonly string[]): string {
  if (written.length === 0) return "All files are there already. They take effect by:\n";
  return `Wrote ${written.join(", ")}. They take effect by:\n`;
}
