// Where files of the user are, by the XDG base directories.
import { homedir } from "node:os";
import { join } from "node:path";

export type Env = Readonly<Record<string, string | undefined>>;

export function homeOf(env: Env): string {
  return env.HOME || homedir();
}

/** Nix's and ours are beside each other in it. */
export function configHome(env: Env): string {
  return env.XDG_CONFIG_HOME || join(homeOf(env), ".config");
}

export function configFile(env: Env): string {
  return join(configHome(env), "nix-cache/config.toml");
}

/** What can be lost: uploads in parts that can be resumed, NARs on their way. */
export function cacheDir(env: Env): string {
  return join(env.XDG_CACHE_HOME || join(homeOf(env), ".cache"), "nix-cache");
}

/** What must not be lost, such as a queue. */
export function stateDir(env: Env): string {
  return join(env.XDG_STATE_HOME || join(homeOf(env), ".local/state"), "nix-cache");
}

/** The directory of the system's nix.conf. */
export function nixConfDir(env: Env): string {
  return env.NIX_CONF_DIR || "/etc/nix";
}

/** In the order in which a token is looked for. */
export function netrcFiles(env: Env): string[] {
  return [
    ...(env.NETRC ? [env.NETRC] : []),
    join(homeOf(env), ".netrc"),
    join(configHome(env), "nix/netrc"),
    join(nixConfDir(env), "netrc"),
  ];
}
