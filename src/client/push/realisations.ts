// The realisations of content-addressed derivations: which output path each has.
import type { SendRetrying } from "../http/retry.ts";
import type { Env } from "../settings/locations.ts";
import { tryNix } from "../store/nix.ts";
import type { PathInfo } from "../store/path-info.ts";

export interface Realisation {
  /** Where it is in the cache. */
  readonly key: string;
  readonly text: string;
}

/** By path. Only outputs of content-addressed derivations have them, so Nix is seldom asked. */
export async function realisationsOf(
  paths: readonly PathInfo[],
  env: Env,
): Promise<Map<string, readonly Realisation[]>> {
  const found = new Map<string, Realisation[]>();
  const outputs = paths.filter(({ ca, deriver }) => ca !== undefined && deriver !== undefined);
  const derivations = [...new Set(outputs.flatMap(({ deriver }) => deriver ?? []))];
  const wanted = new Set(outputs.map(({ path }) => path));
  for (const derivation of derivations) {
    for (const { path, ...realisation } of await ofDerivation(derivation, env)) {
      if (wanted.has(path)) found.set(path, [...(found.get(path) ?? []), realisation]);
    }
  }
  return found;
}

async function ofDerivation(derivation: string, env: Env) {
  // Nix 2.4 to 2.12 writes the outputs of a derivation as `drv!*`, later versions as `drv^*`.
  for (const outputs of ["^*", "!*"]) {
    const args = ["--extra-experimental-features", "ca-derivations", "realisation", "info", "--json"];
    const { code, stdout } = await tryNix("nix", [...args, derivation + outputs], { env });
    // A derivation that is not here any more, or a Nix without realisations: the paths are usable without.
    if (code !== 0) continue;
    return readInfos(stdout, derivation.slice(0, derivation.lastIndexOf("/")));
  }
  return [];
}

/** `nix realisation info --json`: a list of `{id, outPath, signatures, dependentRealisations}`, or of paths without. */
function readInfos(json: string, storeDir: string): (Realisation & { path: string })[] {
  const infos: unknown = JSON.parse(json);
  if (!Array.isArray(infos)) return [];
  return infos.flatMap((info: Readonly<Record<string, unknown>>) => {
    const { id, outPath } = info;
    if (typeof id !== "string" || typeof outPath !== "string") return [];
    const { opaquePath: _, ...realisation } = info;
    const path = outPath.startsWith("/") ? outPath : `${storeDir}/${outPath}`;
    const build = /^([^!^]+\.drv)[!^](.+)$/.exec(id);
    const key = build ? `build-trace-v2/${build[1]}/${build[2]}.doi` : `realisations/${id}.doi`;
    return [{ path, key, text: JSON.stringify(realisation) }];
  });
}

export async function sendRealisation({ key, text }: Realisation, send: SendRetrying): Promise<void> {
  await send({
    method: "PUT",
    path: `/${key.split("/").map(encodeURIComponent).join("/")}`,
    body: text,
    headers: { "content-type": "application/json" },
  });
}
