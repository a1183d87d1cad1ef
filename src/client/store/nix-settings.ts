// Nix's settings as Nix itself reads them.
import { Failure } from "../ground/failure.ts";
import type { Env } from "../settings/locations.ts";
import { errorIn, tryNix } from "./nix.ts";

export interface NixSettings {
  /** With `extra-` ones. */
  readonly substituters: readonly string[];
  readonly trustedSubstituters: readonly string[];
  readonly trustedPublicKeys: readonly string[];
  readonly trustedUsers: readonly string[];
  readonly netrcFile: string;
  readonly requireSigs: boolean;
  /** Seconds. */
  readonly negativeTtl: number;
  readonly positiveTtl: number;
}

/** Of this user. Throws {@link Failure}. */
export async function nixSettings(env: Env): Promise<NixSettings> {
  // `config show` from 2.20 on.
  for (const command of [["config", "show"], ["show-config"]]) {
    const { code, stdout, stderr } = await tryNix("nix", [...command, "--json"], { env });
    if (code === 0) return read(JSON.parse(stdout));
    if (!/not a recognised command|unrecognised|unknown/i.test(stderr)) {
      throw new Failure("failed", `nix ${command.join(" ")}: ${errorIn(stderr)}`);
    }
  }
  throw new Failure("failed", "this Nix does not show its settings");
}

/** Of the system, which the daemon has: without the user's nix.conf and environment. */
export function systemSettings(env: Env): Promise<NixSettings> {
  const { NIX_CONFIG: _, ...rest } = env;
  return nixSettings({ ...rest, NIX_USER_CONF_FILES: "/dev/null" });
}

type Shown = Readonly<Record<string, { readonly value?: unknown } | undefined>>;

function read(shown: Shown): NixSettings {
  const list = (name: string) => {
    const value = shown[name]?.value;
    if (Array.isArray(value)) return value.map(String);
    return String(value ?? "")
      .split(/\s+/)
      .filter((word) => word !== "");
  };
  return {
    // Nix 2.3 shows the others apart.
    substituters: [...list("substituters"), ...list("extra-substituters")],
    trustedSubstituters: list("trusted-substituters"),
    trustedPublicKeys: list("trusted-public-keys"),
    trustedUsers: list("trusted-users"),
    netrcFile: String(shown["netrc-file"]?.value ?? ""),
    requireSigs: shown["require-sigs"]?.value !== false,
    negativeTtl: Number(shown["narinfo-cache-negative-ttl"]?.value ?? 3600),
    positiveTtl: Number(shown["narinfo-cache-positive-ttl"]?.value ?? 2_592_000),
  };
}
