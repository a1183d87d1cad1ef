// What `use` and `unuse` change: the texts of the files before and after.
import { join } from "node:path";
import type { CacheDescription } from "../../contract/cache.ts";
import { Failure } from "../ground/failure.ts";
import { configHome, type Env, nixConfDir } from "../settings/locations.ts";
import { readText } from "./files.ts";
import { withMachine, withoutOwnMachine } from "./netrc-file.ts";
import { addWords, removeWords, valueIn, type Words } from "./nix-conf.ts";
import { MARK, moduleName, nixosModule } from "./nixos-module.ts";

export type Scope = "system" | "user";

export interface Change {
  readonly file: string;
  readonly before: string;
  readonly after: string;
  /** Of a new file. */
  readonly mode: number;
  /** Its lines are not shown. */
  readonly isSecret: boolean;
}

const PUBLIC_MODE = 0o644;
const SECRET_MODE = 0o600;

/** Nix's files in this scope. The netrc is the one that nix.conf names. */
function filesOf(scope: Scope, env: Env): { conf: string; netrc: string } {
  const dir = scope === "system" ? nixConfDir(env) : join(configHome(env), "nix");
  const [named] = scope === "user" ? (env.NIX_USER_CONF_FILES ?? "").split(":") : [];
  const conf = named || join(dir, "nix.conf");
  return { conf, netrc: valueIn(readText(conf), "netrc-file") ?? join(dir, "netrc") };
}

/**
 * `token`: the password to write into netrc; absent: none is needed. `trustedKeys`: those that Nix trusts now, where it is
 * too old for `extra-trusted-public-keys` (2.3) and the whole list must be named.
 */
export function useChanges(
  url: string,
  cache: CacheDescription,
  token: string | undefined,
  scope: Scope,
  env: Env,
  trustedKeys?: readonly string[],
): Change[] {
  const { conf, netrc } = filesOf(scope, env);
  const before = readText(conf);
  let after = addWords(before, { setting: "extra-substituters", words: [url] });
  after = addWords(after, keysFor(after, cache.public_keys, trustedKeys));
  // The system's is Nix's default.
  const namesNetrc = token !== undefined && scope === "user";
  if (namesNetrc && valueIn(after, "netrc-file") === undefined) {
    after = addWords(after, { setting: "netrc-file", words: [netrc] });
  }
  const changes: Change[] = [{ file: conf, before, after, mode: PUBLIC_MODE, isSecret: false }];
  if (token !== undefined) {
    const old = readText(netrc);
    const now = withMachine(old, new URL(url).hostname, token);
    changes.push({ file: netrc, before: old, after: now, mode: SECRET_MODE, isSecret: true });
  }
  return changes.filter((change) => change.before !== change.after);
}

function keysFor(conf: string, keys: readonly string[], trustedKeys: readonly string[] | undefined): Words {
  if (trustedKeys === undefined) return { setting: "extra-trusted-public-keys", words: keys };
  const setting = "trusted-public-keys";
  return { setting, words: valueIn(conf, setting) === undefined ? [...trustedKeys, ...keys] : keys };
}

/** `publicKeys`: those of the cache, where it answered. */
export function unuseChanges(url: string, publicKeys: readonly string[], scope: Scope, env: Env): Change[] {
  const { conf, netrc } = filesOf(scope, env);
  const before = readText(conf);
  let after = removeWords(before, { setting: "extra-substituters", words: [url, `${url}/`] });
  after = removeWords(after, { setting: "extra-trusted-substituters", words: [url, `${url}/`] });
  after = removeWords(after, { setting: "extra-trusted-public-keys", words: publicKeys });
  const old = readText(netrc);
  const { hostname } = new URL(url);
  // Another cache of the same host is asked with the same password.
  const isNeeded = ["substituters", "extra-substituters"]
    .flatMap((setting) => (valueIn(after, setting) ?? "").split(" "))
    .some((other) => URL.parse(other)?.hostname === hostname);
  const now = isNeeded ? old : withoutOwnMachine(old, hostname);
  const isOurs = valueIn(before, "netrc-file") === join(configHome(env), "nix/netrc");
  // The file that `use` has named, when nothing is left in it.
  if (isOurs && now.trim() === "") after = removeWords(after, { setting: "netrc-file", words: [netrc] });
  after = after.replace(/^netrc-file =\r?\n/m, "").replace(/(?:\r?\n)?netrc-file =$/, "");
  return [
    { file: conf, before, after, mode: PUBLIC_MODE, isSecret: false },
    { file: netrc, before: old, after: now, mode: SECRET_MODE, isSecret: true },
  ].filter((change) => change.before !== change.after);
}

export function nixosChange(dir: string, url: string, cache: CacheDescription | undefined): Change[] {
  const file = join(dir, moduleName(url));
  const before = readText(file);
  if (before !== "" && !before.startsWith(MARK)) {
    throw new Failure("failed", `${file} is not from 'nix-cache use': it stays as it is`);
  }
  const after =
    cache === undefined
      ? ""
      : nixosModule({ url, publicKeys: cache.public_keys, isPrivate: cache.visibility === "private" });
  return before === after ? [] : [{ file, before, after, mode: PUBLIC_MODE, isSecret: false }];
}
