// Whether the Nix daemon, if there is one, follows this user's settings.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import type { Env } from "../settings/locations.ts";

const SOCKET = "/nix/var/nix/daemon-socket/socket";

/** Whether Nix of this user asks the daemon: root uses the store itself. */
export function usesDaemon(env: Env): boolean {
  if (env.NIX_REMOTE) return /^(daemon|unix:)/.test(env.NIX_REMOTE);
  return process.getuid?.() !== 0 && existsSync(env.NIX_DAEMON_SOCKET_PATH || SOCKET);
}

/** Whether `trusted-users` names the user, or a group of theirs as `@group`. */
export function isTrusted(trustedUsers: readonly string[], env: Env): boolean {
  const groups = spawnSync("id", ["-Gn"], { env: env as NodeJS.ProcessEnv, encoding: "utf8" }).stdout ?? "";
  const names = [...userName(), "*", ...groups.split(/\s+/).map((group) => `@${group}`)];
  return trustedUsers.some((name) => names.includes(name));
}

/** None where the system has no name for the user, as in containers. */
function userName(): string[] {
  try {
    return [userInfo().username];
  } catch {
    return [];
  }
}

export const WHAT_TRUSTED_MEANS =
  "A Nix daemon takes substituters and keys only from its own nix.conf, or from users in its trusted-users. " +
  "A trusted user can make the daemon accept any path, which is as much as being root.";
