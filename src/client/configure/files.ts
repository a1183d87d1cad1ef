// Changing files of the configuration: a whole file or none, with the mode that it had.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { Failure, isSystemError, lineOf } from "../ground/failure.ts";

/** Empty where there is none. Throws {@link Failure} where it cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return "";
    throw new Failure("failed", `cannot read ${file}: ${lineOf(error)}`);
  }
}

/** Writes the text, or removes the file where there is none. `mode` is of a new file. Throws {@link Failure}. */
export function writeText(file: string, text: string, mode: number): void {
  const target = existsSync(file) ? realpathSync(file) : file;
  if (target.startsWith("/nix/store/")) {
    throw new Failure("failed", `${file} is made by NixOS: use 'nix-cache use --nixos DIR' instead`);
  }
  try {
    if (text === "") {
      rmSync(target, { force: true });
      return;
    }
    const existing = existsSync(target) ? lstatSync(target) : undefined;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(`${target}.new`, text, { mode: existing === undefined ? mode : existing.mode & 0o777 });
    renameSync(`${target}.new`, target);
  } catch (error) {
    const hint = isSystemError(error, "EACCES", "EPERM") ? "; run it as root, or with --user" : "";
    throw new Failure("failed", `cannot write ${file}: ${lineOf(error)}${hint}`);
  }
}
