// Runs one real Nix (`NIX_BIN`, else `nix` on PATH) as a client isolated from this machine: its own store,
// configuration, netrc, home and narinfo cache.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { execute, type Result } from "./execute.ts";

const named = process.env.NIX_BIN || "nix";
const nixBin = named.includes("/") ? resolve(named) : named;

/** The version of the Nix under test ("2.34.8"), or undefined when there is none on this machine. */
export const nixVersion = findVersion();

function findVersion(): string | undefined {
  try {
    const text = execFileSync(nixBin, ["--version"], { encoding: "utf8" });
    return /(\d+\.\d+(\.\d+)?)\S*\s*$/.exec(text)?.[1];
  } catch {
    return undefined; // No such program: `nix.test.ts` says so, and fails if Nix is required.
  }
}

export function nixAtLeast(major: number, minor: number): boolean {
  const [a = 0, b = 0] = (nixVersion ?? "0.0").split(".").map(Number);
  return a > major || (a === major && b >= minor);
}

/** One user of Nix with a store of their own. */
export type Client = {
  token: string | undefined;
  /** The client's store, for the `--from` of another client. */
  storeUrl: string;
  /** Where a store path of this client lies on the disk: the root of a chroot store, or "". */
  root: string;
  /** The client's Nix store directory as store paths name it. */
  storeDir: string;
  /** The environment of the client's programs. */
  env: Record<string, string>;
  /** Runs `nix ARGS`; never throws for a failing Nix. */
  run: (...args: string[]) => Promise<Result>;
  /** Runs `nix ARGS` and returns its output; a failing Nix throws with its stderr. */
  nix: (...args: string[]) => Promise<string>;
  /** Writes a file of the client's and returns its path. */
  write: (name: string, text: string) => string;
};

export type ClientOptions = {
  /** The token that netrc holds for the server; without it there is no netrc. */
  token?: string;
  /** More lines of nix.conf. */
  conf?: string[];
  /**
   * A directory whose `store` is both the store's name and its place, so that builds need no
   * namespaces (a chroot store can be copied to and from everywhere, but built in only with them).
   * The server must then have the same STORE_DIR. Absent: an empty chroot store for /nix/store.
   */
  physical?: string;
};

const scratch: string[] = [];

/** A new directory that `removeScratch` removes. */
export function scratchDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "nix-cache-test-"));
  scratch.push(dir);
  return dir;
}

/** Removes every directory that this test file made. */
export function removeScratch(): void {
  for (const dir of scratch.splice(0)) remove(dir);
}

/** Empties a physical store (see `ClientOptions`), so that the next client finds nothing there. */
export function emptyStore(physical: string): void {
  for (const part of ["store", "state", "log"]) remove(join(physical, part));
}

function remove(dir: string): void {
  if (!existsSync(dir)) return;
  execFileSync("chmod", ["-R", "u+w", dir]); // store paths are read-only
  // A server that has just been killed may still hold a file for a moment.
  rmSync(dir, { recursive: true, maxRetries: 10 });
}

export function newClient(options: ClientOptions = {}): Client {
  const dir = scratchDir();
  const conf = join(dir, "conf");
  const tmp = join(dir, "tmp");
  mkdirSync(conf);
  mkdirSync(tmp);
  const lines = [
    "experimental-features = nix-command flakes ca-derivations",
    "substituters =",
    "trusted-public-keys =",
    "sandbox = false",
    "build-users-group =",
    "builders =",
    ...(options.conf ?? []),
  ];
  writeFileSync(join(conf, "nix.conf"), `${lines.join("\n")}\n`);
  if (options.token !== undefined) {
    // Nix looks for `netrc` beside nix.conf when no setting names another.
    writeFileSync(join(conf, "netrc"), `machine 127.0.0.1\nlogin any\npassword ${options.token}\n`);
  }

  const root = options.physical === undefined ? join(dir, "root") : "";
  const at = options.physical;
  const storeUrl =
    at === undefined ? `local?root=${root}` : `local?store=${at}/store&state=${at}/state&log=${at}/log`;
  const env = {
    PATH: `${named.includes("/") ? `${dirname(nixBin)}:` : ""}${process.env.PATH ?? "/usr/bin:/bin"}`,
    HOME: dir,
    TMPDIR: tmp,
    XDG_CACHE_HOME: join(dir, "cache"),
    NIX_CONF_DIR: conf,
    NIX_USER_CONF_FILES: "",
    // The default store: the counterpart of a user's /nix/store.
    NIX_REMOTE: storeUrl,
    ...(at === undefined ? {} : { NIX_STORE_DIR: `${at}/store` }),
  };
  const run = (...args: string[]) => execute(nixBin, args, { env, cwd: tmp });
  const nix = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(...args);
    if (code !== 0) throw new Error(`nix ${args.join(" ")}: exit ${code}\n${stderr}`);
    return stdout;
  };
  const write = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const storeDir = at === undefined ? "/nix/store" : `${at}/store`;
  return { token: options.token, storeUrl, root, storeDir, env, run, nix, write };
}
