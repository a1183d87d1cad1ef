// `nix-cache doctor`.
import { join } from "node:path";
import { command } from "../command/spec.ts";
import { isTrusted, usesDaemon } from "../configure/trust.ts";
import type { Finding } from "../doctor/finding.ts";
import { findingsOf } from "../doctor/finding.ts";
import { checkCache } from "../doctor/of-cache.ts";
import { checkMemory, checkMemoryOf } from "../doctor/of-memory.ts";
import {
  checkKeys,
  checkNetrc,
  checkSubstituter,
  checkTrust,
  effective,
  type NixOfMachine,
} from "../doctor/of-nix.ts";
import { checkPath } from "../doctor/of-path.ts";
import { EXIT } from "../ground/exit.ts";
import { type Cache, openCache } from "../http/api.ts";
import { type Env, homeOf } from "../settings/locations.ts";
import { hashPartOf } from "../store/hash-part.ts";
import { nixSettings, systemSettings } from "../store/nix-settings.ts";

export const DOCTOR = command({
  name: "doctor",
  summary: "finds what is wrong between this machine and the cache",
  args: "[PATH]",
  takes: { min: 0, max: 1 },
  completes: "file",
  details: [
    "Looks at the cache, the clock, the token, Nix's substituters and keys, trusted-users, the daemon's netrc, and what Nix remembers of the cache; with PATH also at its narinfo, signature, NAR and references. Each fault comes with its remedy. The exit code is 1 where there is one.",
  ],
  examples: [
    { line: "nix-cache doctor", does: "why does Nix not pull from the cache?" },
    { line: "nix-cache doctor ./result", does: "and not this path?" },
  ],
  flags: {},
  async run({ args: [path], global, env, output }) {
    const cache = openCache(global, env, { retries: { attempts: 2, firstDelayMs: 500 } });
    const findings = await examine(cache, path, env);
    output.result(findings, () => findings.map(textOf).join(""));
    return findings.some(({ state }) => state === "fault") ? EXIT.failed : EXIT.done;
  },
});

const SIGNS = { ok: "ok     ", fault: "FAULT  ", warning: "warning", skipped: "-      " } as const;

function textOf({ check, state, detail, remedy }: Finding): string {
  return `${SIGNS[state]} ${check}: ${detail}\n${remedy === undefined ? "" : `          ${remedy}\n`}`;
}

async function examine(cache: Cache, path: string | undefined, env: Env): Promise<Finding[]> {
  const { url } = cache.settings;
  const { findings, description } = await checkCache(cache);
  const [user, system] = await Promise.all([nixSettings(env), systemSettings(env)]);
  const nix: NixOfMachine = {
    user,
    system,
    usesDaemon: usesDaemon(env),
    isTrusted: isTrusted(system.trustedUsers, env),
  };
  findings.push(checkSubstituter(url, nix), checkTrust(nix));
  findings.push(
    await checkNetrc(url, description === undefined || description.visibility === "private", nix, env),
  );
  if (description === undefined) return findings;
  findings.push(...checkKeys(url, description, nix), checkStoreDir(description.store_dir, env));
  const settings = effective(nix);
  const memory = memoryDir(nix, env);
  if (nix.usesDaemon && process.getuid?.() !== 0) {
    findings.push(
      findingsOf("memory").skipped("only root can see what the daemon remembers: run doctor as root"),
    );
  }
  if (path === undefined) return [...findings, ...(await checkMemory(cache, memory, settings))];
  const hash = await hashPartOf(path, env);
  const ofPath = await checkPath(cache, hash, description.store_dir, settings);
  return [
    ...findings,
    ...ofPath.findings,
    ...(await checkMemoryOf(hash, ofPath.info, url, memory, settings)),
  ];
}

/** Whoever downloads remembers: the daemon as root, which only root can look at. */
function memoryDir({ usesDaemon: isDaemons }: NixOfMachine, env: Env): string {
  return isDaemons ? "/root/.cache/nix" : join(env.XDG_CACHE_HOME || join(homeOf(env), ".cache"), "nix");
}

function checkStoreDir(storeDir: string, env: Env): Finding {
  const { ok, fault } = findingsOf("store");
  const own = env.NIX_STORE_DIR || "/nix/store";
  return own === storeDir
    ? ok(`both are for ${own}`)
    : fault(
        `this Nix has its store in ${own}, the cache is for ${storeDir}`,
        "use a cache for that store (STORE_DIR)",
      );
}
