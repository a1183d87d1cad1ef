// The post-build hook that Nix is configured with.
import type { Env } from "../settings/locations.ts";
import { tryNix } from "./nix.ts";

/** Its file; `undefined` for none. Throws {@link Failure} where Nix cannot be run. */
export async function configuredHook(env: Env): Promise<string | undefined> {
  // Newer versions know the other name, older ones only this one.
  for (const args of [
    ["config", "show", "--json"],
    ["show-config", "--json"],
  ]) {
    const { code, stdout } = await tryNix("nix", args, { env });
    if (code === 0) return hookIn(stdout);
  }
  return undefined;
}

function hookIn(stdout: string): string | undefined {
  try {
    const settings: Record<string, { value?: unknown }> = JSON.parse(stdout);
    const value = settings["post-build-hook"]?.value;
    return typeof value === "string" && value !== "" ? value : undefined;
  } catch {
    // Not the settings.
    return undefined;
  }
}
