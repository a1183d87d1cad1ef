// A stand-in for NixOS: a mount namespace without the loader that generic ELF files name, and a folder of programs that
// name another one, as Nix's do.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const LOADER = "/lib64/ld-linux-x86-64.so.2";

/** Whether this machine lets us hide its loader: x86-64 Linux, and root or something like it. */
export function canHideLoader(): boolean {
  return (
    process.platform === "linux" &&
    process.arch === "x64" &&
    spawnSync("unshare", ["--mount", "mount", "--bind", "/tmp", "/tmp"]).status === 0
  );
}

export interface WithoutLoader {
  /** The folder of the programs that run: the PATH there. */
  readonly bin: string;
  /** Copies the program `from` to `bin` under `name`, with the other loader in it. */
  readonly patch: (from: string, name: string) => string;
  /** The arguments of `unshare` that run `command`, a program of `bin` and its arguments, without the loader. */
  readonly arguments: (command: readonly string[]) => string[];
}

/** Makes it in `dir`, whose path must be so short that it fits into the place of the loader's (about 20 bytes). */
export function withoutLoader(dir: string): WithoutLoader {
  const bin = join(dir, "bin");
  const empty = join(dir, "empty");
  for (const made of [bin, empty]) mkdirSync(made);
  const loader = join(dir, "ld");
  if (loader.length > LOADER.length) throw new Error(`${dir} is too long a path`);
  copy(realpathSync(LOADER), loader);
  const patch = (from: string, name: string) => {
    const bytes = readFileSync(realpathSync(from));
    const at = bytes.indexOf(`${LOADER}\0`);
    if (at < 0) throw new Error(`${from} does not name ${LOADER}`);
    bytes.fill(0, at, at + LOADER.length);
    bytes.write(loader, at);
    const to = join(bin, name);
    writeFileSync(to, bytes);
    chmodSync(to, 0o755);
    return to;
  };
  const [sh, env] = [patch("/bin/sh", "sh"), patch("/usr/bin/env", "env")];
  const script = `set -e
    mount --bind "${sh}" "${realpathSync("/bin/sh")}"
    mount --bind "${env}" "${realpathSync("/usr/bin/env")}"
    mount --bind "${empty}" "${realpathSync("/lib64")}"
    export PATH="${bin}"
    exec "$@"`;
  return { bin, patch, arguments: (command) => ["--mount", sh, "-c", script, "sh", ...command] };
}

function copy(from: string, to: string): void {
  writeFileSync(to, readFileSync(from));
  chmodSync(to, 0o755);
}
