// Changing files of the configuration: a whole file or none, with the mode that it had.
import {
  chmodSync,
  chownSync,
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

const OTHERS = 0o007;

/** Empty where there is none. Throws {@link Failure} where it cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return "";
    throw new Failure("failed", `cannot read ${file}: ${lineOf(error)}`);
  }
}

/**
 * Writes the text, or removes the file where there is none. `mode` is of a new file; an old one keeps its owner and mode,
 * except that others may not read what they could not in a new one. Throws {@link Failure}.
 */
export function writeText(file: string, text: string, mode: number): void {
  const target = existsSync(file) ? realpathSync(file) : file;
  if (target.startsWith("/nix/store/")) {
    throw new Failure(
      "failed",
      `${file} is made by NixOS or home-manager: put the lines above into their configuration, or use 'nix-cache use --nixos DIR'`,
    );
  }
  try {
    if (text === "") {
      rmSync(target, { force: true });
      return;
    }
    const existing = existsSync(target) ? lstatSync(target) : undefined;
    mkdirSync(dirname(target), { recursive: true });
    const unfinished = `${target}.new`;
    rmSync(unfinished, { force: true });
    writeFileSync(unfinished, text, { mode: 0o600, flag: "wx" });
    const allowed = (mode & OTHERS) === 0 ? 0o777 - OTHERS : 0o777;
    chmodSync(unfinished, existing === undefined ? mode : existing.mode & allowed);
    if (existing !== undefined) chownSync(unfinished, existing.uid, existing.gid);
    renameSync(unfinished, target);
  } catch (error) {
    const hint = isSystemError(error, "EACCES", "EPERM") ? "; run it as root, or with --user" : "";
    throw new Failure("failed", `cannot write ${file}: ${lineOf(error)}${hint}`);
  }
}
