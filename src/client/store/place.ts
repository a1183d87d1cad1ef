// Where the files of the local store are: Nix's settings can put a store of /nix/store below another directory.
import { dirname } from "node:path";
import type { Env } from "../settings/locations.ts";

export interface Place {
  /** Goes before store paths: the root of a chroot store, or empty. */
  readonly root: string;
  /** The directory with the logs of builds. */
  readonly logDir: string;
  /** Nix's database. */
  readonly database: string;
}

export function placeOf(env: Env): Place {
  const remote = env.NIX_REMOTE ?? "";
  const [scheme = "", query = ""] = remote.split("?");
  const parameters = new URLSearchParams(query);
  const root = scheme.startsWith("/")
    ? scheme
    : ["local", "auto"].includes(scheme)
      ? parameters.get("root")
      : "";
  const stateDir = parameters.get("state") || env.NIX_STATE_DIR || `${root ?? ""}/nix/var/nix`;
  return {
    root: root ?? "",
    database: `${stateDir}/db/db.sqlite`,
    logDir: parameters.get("log") || env.NIX_LOG_DIR || `${root ?? ""}/nix/var/log/nix`,
  };
}

/** Where a log of a derivation may be, compressed or not. */
export function logFiles({ logDir }: Place, derivation: string): string[] {
  const name = derivation.slice(dirname(derivation).length + 1);
  const file = `${logDir}/drvs/${name.slice(0, 2)}/${name.slice(2)}`;
  return [`${file}.bz2`, file];
}
