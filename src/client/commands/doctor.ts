// `nix-cache doctor`.
import { join } from "node:path";
import type { NarInfo } from "../../nix/narinfo.ts";
import { command } from "../command/spec.ts";
import { isTrusted, usesDaemon } from "../configure/trust.ts";
import type { Finding } from "../doctor/finding.ts";
import { findingsOf } from "../doctor/finding.ts";
import { checkCache } from "../doctor/of-cache.ts";
import { checkMemory, checkMemoryOf } from "../doctor/of-memory.ts";
import {
  checkKeys,
  checkNetrc,
  checkNetrcLines,
  checkSubstituter,
  checkTrust,
  effective,
  type NixOfMachine,
} from "../doctor/of-nix.ts";
import { checkPath } from "../doctor/of-path.ts";
import { EXIT } from "../ground/exit.ts";
import { lineOf } from "../ground/failure.ts";
import { type Cache, openCache } from "../http/api.ts";
import { type Env, homeOf } from "../settings/locations.ts";
import { hashPartOf } from "../store/hash-part.ts";
import { type NixSettings, nixSettings, systemSettings } from "../store/nix-settings.ts";

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
  // Nix's settings for an address without a cache are not what is wrong.
  if (findings.some(({ check, state }) => check === "cache" && state === "fault")) return findings;
  const settingsOf = await readSettings(env);
  if (!Array.isArray(settingsOf)) return [...findings, settingsOf];
  const [user, system] = settingsOf;
  const nix: NixOfMachine = {
    user,
    system,
    usesDaemon: usesDaemon(env),
    isTrusted: isTrusted(system.trustedUsers, env),
  };
  findings.push(
    ...checkNetrcLines(url, cache.settings.tokenDoubt, nix),
    checkSubstituter(url, nix),
    checkTrust(nix),
  );
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
  if (path === undefined) {
    return [...findings, ...(await looking("memory", () => checkMemory(cache, memory, settings)))];
  }
  const hash = await hashPartOf(path, env);
  let info: NarInfo | undefined;
  const ofPath = await looking("path", async () => {
    const found = await checkPath(cache, hash, description.store_dir, settings);
    info = found.info;
    return found.findings;
  });
  const ofMemory = await looking("memory", () => checkMemoryOf(hash, info, url, memory, settings));
  return [...findings, ...ofPath, ...ofMemory];
}

/** Nix's settings of the user and of the system, or what is wrong with them. */
async function readSettings(env: Env): Promise<[NixSettings, NixSettings] | Finding> {
  try {
    return await Promise.all([nixSettings(env), systemSettings(env)]);
  } catch (error) {
    return findingsOf("nix").fault(
      lineOf(error),
      "install Nix, or correct the line of nix.conf; then doctor sees more",
    );
  }
}

/** A check that cannot be made is a fault of its own: the others go on. */
async function looking(check: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look();
  } catch (error) {
    const remedy =
      check === "memory"
        ? "let Nix forget: rm ~/.cache/nix/binary-cache-v*.sqlite of the process that downloads"
        : "nix-cache check, or ask the cache's operator";
    return [findingsOf(check).fault(`it cannot be looked at: ${lineOf(error)}`, remedy)];
  }
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
