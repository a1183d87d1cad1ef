// `nix-cache use` and `unuse`: letting Nix pull from a cache.
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { usage } from "../command/parse.ts";
import { command, type Flags, type FlagValues } from "../command/spec.ts";
import { writeText } from "../configure/files.ts";
import { changes as linesOf } from "../configure/nix-conf.ts";
import { isTrusted, usesDaemon, WHAT_TRUSTED_MEANS } from "../configure/trust.ts";
import { type Change, nixosChange, type Scope, unuseChanges, useChanges } from "../configure/use.ts";
import { EXIT } from "../ground/exit.ts";
import { Failure } from "../ground/failure.ts";
import type { Output } from "../ground/output.ts";
import { describe, openCache } from "../http/api.ts";
import type { Env } from "../settings/locations.ts";
import { nixVersion } from "../store/nix.ts";
import { nixSettings, systemSettings } from "../store/nix-settings.ts";

const SCOPES = {
  system: { help: "the system's nix.conf, which the daemon reads; the default for root" },
  user: { help: "this user's nix.conf; the default for others" },
  nixos: { value: "DIR", help: "a NixOS module in this directory instead", completes: "directory" },
  "dry-run": { short: "n", help: "shows the changes and makes none" },
} as const satisfies Flags;

export const USE = command({
  name: "use",
  summary: "lets Nix pull from a cache",
  args: "[URL]",
  takes: { min: 0, max: 1 },
  details: [
    "Asks the cache for its keys, and adds it to nix.conf; all settings that are there stay. The token, where reading needs one or one was given by the environment or a flag, goes into netrc.",
    WHAT_TRUSTED_MEANS,
  ],
  examples: [
    { line: "sudo nix-cache use https://cache.example.org", does: "for all users of the machine" },
    { line: "nix-cache use --user https://cache.example.org", does: "for this user" },
    { line: "nix-cache use --nixos /etc/nixos https://cache.example.org", does: "writes a module to import" },
  ],
  flags: SCOPES,
  async run({ args: [argument], flags, global, env, output }) {
    const scope = scopeOf(flags, "use");
    const cache = openCache(global, env, { argument });
    const { url, token, tokenFrom } = cache.settings;
    const description = await describe(cache);
    if (description.public_keys.length === 0) {
      output.warn("the cache has no key, so Nix accepts only content-addressed paths from it");
    }
    const isGiven =
      tokenFrom !== undefined && basename(tokenFrom) !== "netrc" && basename(tokenFrom) !== ".netrc";
    const needsToken = description.visibility === "private" || isGiven;
    if (description.visibility === "private" && token === undefined) {
      output.warn("reading this cache needs a token: give one by NIX_CACHE_TOKEN_FILE or --token-file");
    }
    const changes =
      flags.nixos === undefined
        ? useChanges(url, description, needsToken ? token : undefined, scope, env, await keysOfOldNix(env))
        : nixosChange(flags.nixos, url, description);
    apply(changes, flags["dry-run"], output);
    await advise(scope, flags, changes, env, output);
    output.result(
      { url, public_keys: description.public_keys, changed: changes.map(({ file }) => file) },
      () => (changes.length === 0 ? `Nix already uses ${url}\n` : ""),
    );
    return EXIT.done;
  },
});

export const UNUSE = command({
  name: "unuse",
  summary: "undoes what use has done",
  args: "[URL]",
  takes: { min: 0, max: 1 },
  examples: [
    { line: "sudo nix-cache unuse https://cache.example.org", does: "for all users of the machine" },
    { line: "nix-cache unuse --nixos /etc/nixos https://cache.example.org", does: "removes the module" },
  ],
  flags: {
    ...SCOPES,
    key: { value: "KEY", many: true, help: "a public key to remove, where the cache does not answer" },
  },
  async run({ args: [argument], flags, global, env, output }) {
    const scope = scopeOf(flags, "unuse");
    const cache = openCache(global, env, { argument, retries: { attempts: 1, firstDelayMs: 0 } });
    const { url } = cache.settings;
    const changes =
      flags.nixos === undefined
        ? unuseChanges(url, await keysOf(cache, flags.key, output), scope, env)
        : nixosChange(flags.nixos, url, undefined);
    apply(changes, flags["dry-run"], output);
    output.result({ url, changed: changes.map(({ file }) => file) }, () =>
      changes.length === 0 ? `Nix does not use ${url}\n` : "",
    );
    return EXIT.done;
  },
});

async function keysOf(
  cache: ReturnType<typeof openCache>,
  given: readonly string[],
  output: Output,
): Promise<readonly string[]> {
  if (given.length > 0) return given;
  try {
    return (await describe(cache)).public_keys;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    output.warn(
      `its keys stay, because the cache does not tell them (${error.message}): --key KEY removes one`,
    );
    return [];
  }
}

/** The keys that Nix trusts, of one before 2.4; another adds to them. */
async function keysOfOldNix(env: Env): Promise<readonly string[] | undefined> {
  const version = await nixVersion(env).catch(() => undefined);
  if (version === undefined || version[0] > 2 || version[1] >= 4) return undefined;
  return (await nixSettings(env)).trustedPublicKeys;
}

function scopeOf(flags: FlagValues<typeof SCOPES>, name: string): Scope {
  if ([flags.system, flags.user, flags.nixos !== undefined].filter(Boolean).length > 1) {
    throw usage({ name }, "--system, --user and --nixos exclude each other");
  }
  if (flags.system) return "system";
  return flags.user || process.getuid?.() !== 0 ? "user" : "system";
}

function apply(changes: readonly Change[], isDryRun: boolean, output: Output): void {
  for (const { file, before, after, mode, isSecret } of changes) {
    output.note(`${isDryRun ? "would change" : "changed"} ${file}`);
    if (!isSecret) for (const line of linesOf(before, after)) output.note(`  ${line}`);
    if (!isDryRun) writeText(file, after, mode);
  }
}

async function advise(
  scope: Scope,
  flags: FlagValues<typeof SCOPES>,
  changes: readonly Change[],
  env: Env,
  output: Output,
): Promise<void> {
  if (flags.nixos !== undefined) {
    const file = changes[0]?.file;
    if (file !== undefined)
      output.note(`import it: imports = [ ${file.startsWith("/") ? "" : "./"}${file} ];`);
    return;
  }
  if (scope === "system") {
    if (existsSync("/run/systemd/system")) output.note("restart the daemon: systemctl restart nix-daemon");
    return;
  }
  if (!usesDaemon(env)) return;
  const { trustedUsers } = await systemSettings(env);
  if (isTrusted(trustedUsers, env)) return;
  output.warn(`the Nix daemon will ignore this: you are not in its trusted-users. ${WHAT_TRUSTED_MEANS}`);
  output.warn("ask its administrator for 'nix-cache use --system'");
}
