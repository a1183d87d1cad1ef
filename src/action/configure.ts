// The files of a job: nix.conf, netrc, and the hook with its notes, in a directory of the job's own.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../client/ground/failure.ts";
import { hookScript } from "../client/hook/script.ts";
import { configHome, type Env, nixConfDir } from "../client/settings/locations.ts";

export interface JobFiles {
  /** Where the hook notes what is built. */
  readonly notes: string;
  readonly conf: string;
  readonly netrc: string;
  readonly hook: string;
}

const PUBLIC_KEY = /^[^\s:]+:[A-Za-z0-9+/]+=*$/;

/** The runner empties RUNNER_TEMP before and after each job. */
export function makeFiles(env: Env): JobFiles {
  const dir = join(env.RUNNER_TEMP || tmpdir(), `nix-cache-${process.getuid?.() ?? 0}`);
  const notes = join(dir, "notes");
  mkdirSync(notes, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  return { notes, conf: join(dir, "nix.conf"), netrc: join(dir, "netrc"), hook: join(dir, "hook") };
}

/** Throws {@link Failure} of usage for a text that is no list of keys. */
export function keysIn(text: string): string[] {
  const keys = text.split(/\s+/).filter((key) => key !== "");
  const wrong = keys.find((key) => !PUBLIC_KEY.test(key));
  if (wrong !== undefined) throw new Failure("usage", `'${wrong}' is no public key such as name:BASE64`);
  return keys;
}

/** Only of this job: other machines' passwords that the user has are kept. */
export function writeNetrc(file: string, url: string, token: string, env: Env): void {
  const own = readIfThere(join(nixConfDir(env), "netrc"));
  const line = `machine ${new URL(url).hostname} login ci password ${token}\n`;
  writeFileSync(file, `${line}${own}`, { mode: 0o600 });
}

export function writeHook(file: string, notes: string, before: string | undefined, main: string): void {
  writeFileSync(file, hookScript({ client: [process.execPath, main], dir: notes, before }));
  chmodSync(file, 0o755);
}

export interface Conf {
  readonly url: string;
  readonly keys: readonly string[];
  readonly netrc: string | undefined;
  readonly hook: string | undefined;
}

export function confText({ url, keys, netrc, hook }: Conf): string {
  const settings = [
    // Without a key nothing that it has would be trusted.
    ...(keys.length === 0
      ? []
      : [`extra-substituters = ${url}`, `extra-trusted-public-keys = ${keys.join(" ")}`]),
    ...(netrc === undefined ? [] : [`netrc-file = ${netrc}`]),
    ...(hook === undefined ? [] : [`post-build-hook = ${hook}`]),
  ];
  return settings.map((line) => `${line}\n`).join("");
}

/** The list of the user's files with this one first: Nix reads the first last, and it wins. */
export function userConfFiles(conf: string, env: Env): string {
  return `${conf}:${env.NIX_USER_CONF_FILES || join(configHome(env), "nix/nix.conf")}`;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // The user has none, or may not read it.
    return "";
  }
}
