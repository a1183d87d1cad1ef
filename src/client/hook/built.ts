// What a post-build hook is told of a build.
import { readFileSync } from "node:fs";
import type { Env } from "../settings/locations.ts";
import { pathsIn } from "./notes.ts";

/** The outputs at the beginning of a derivation: `Derive([("out","/nix/store/...","",""),...],`. */
const OUTPUTS = /^Derive\(\[([^\]]*)\]/;

/**
 * The outputs of the build. Nix 2.8 and others leave OUT_PATHS empty (NixOS/nix#6446): then it is those that the derivation
 * names, of which some may not have been built.
 */
export function builtPaths({ OUT_PATHS, DRV_PATH }: Env): string[] {
  const given = pathsIn(OUT_PATHS);
  if (given.length > 0 || !DRV_PATH) return given;
  const [, outputs = ""] = OUTPUTS.exec(readFileSync(DRV_PATH, "utf8")) ?? [];
  return [...outputs.matchAll(/\("[^"]*","([^"]+)"/g)].flatMap(([, path]) => pathsIn(path));
}
