// A repository with the files of this checkout as they are now, which `git clone` finds at the project's address.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { scratchDir } from "../real-nix/client.ts";
import { PROJECT } from "./markdown.ts";

const ADDRESS = "https://github.com/stevedores-org/nix-cache";
/** Nothing of this machine's configuration of git. */
const ENV = { PATH: process.env.PATH ?? "/usr/bin:/bin", GIT_CONFIG_NOSYSTEM: "1", HOME: "/nonexistent" };

const git = (...args: string[]) => execFileSync("git", args, { env: ENV, encoding: "utf8" });

/** Makes it, from the tracked files with their changes. Returns its folder. */
export function makeOrigin(): string {
  const origin = join(scratchDir(), "origin");
  for (const file of git("-C", PROJECT, "-c", "safe.directory=*", "ls-files", "-z").split("\0")) {
    if (file === "" || !existsSync(join(PROJECT, file))) continue;
    mkdirSync(dirname(join(origin, file)), { recursive: true });
    cpSync(join(PROJECT, file), join(origin, file));
  }
  git("-C", origin, "init", "--quiet", "--initial-branch=main");
  git("-C", origin, "add", "--force", ".");
  git(
    "-C",
    origin,
    "-c",
    "user.name=a",
    "-c",
    "user.email=a@example.org",
    "commit",
    "--quiet",
    "-m",
    "as it is",
  );
  return origin;
}

/** Lines of a user's .gitconfig with which the project's address is that of the folder. */
export function gitConfig(origin: string): string {
  return `[url "${origin}"]\n\tinsteadOf = ${ADDRESS}.git\n\tinsteadOf = ${ADDRESS}\n[safe]\n\tdirectory = *\n`;
}
