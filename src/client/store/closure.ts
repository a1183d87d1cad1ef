// Closures, and what the store knows of their paths.
import { lstatSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { Failure } from "../ground/failure.ts";
import type { Env } from "../settings/locations.ts";
import { errorIn, nixVersion, runNix, tryNix } from "./nix.ts";
import { type PathInfo, parsePathInfos } from "./path-info.ts";
import { parseRegistrations } from "./registration.ts";

/** Arguments of one call: a command line has a limit, 128 KiB for an argument and 2 MiB for all of them. */
const MAX_ARGUMENTS = 5000;

/**
 * The store paths of what was named (paths, links to them, installables), and all paths of their closures, or only
 * those with `isRecursive` false. Throws {@link Failure} where one is not in the store.
 */
export async function resolve(
  named: readonly string[],
  isRecursive: boolean,
  env: Env,
): Promise<{ readonly roots: string[]; readonly paths: Map<string, PathInfo> }> {
  const paths = new Map<string, PathInfo>();
  const roots: string[] = [];
  for (let at = 0; at < named.length; at += MAX_ARGUMENTS) {
    const some = named.slice(at, at + MAX_ARGUMENTS);
    const given = await pathInfos(some.map(asPath), false, env);
    roots.push(...given.map(({ path }) => path));
    const all = isRecursive
      ? await pathInfos(
          given.map(({ path }) => path),
          true,
          env,
        )
      : given;
    for (const info of all) paths.set(info.path, info);
  }
  return { roots: [...new Set(roots)], paths };
}

/** A link of a single word is no installable: `result` is ./result. */
function asPath(name: string): string {
  const isWord = /^[^/.#][^/#]*$/.test(name);
  return isWord && lstatSync(name, { throwIfNoEntry: false })?.isSymbolicLink() ? `./${name}` : name;
}

async function pathInfos(named: readonly string[], isRecursive: boolean, env: Env): Promise<PathInfo[]> {
  const version = await nixVersionOrNone(env);
  if (version === undefined) return registrations(named, isRecursive, env);
  const [major, minor] = version;
  // Nix 2.4 and some later ones would take a derivation for its outputs.
  const isDerivation = (name: string) => name.endsWith(".drv");
  const derivations = major > 2 || minor >= 4 ? named.filter(isDerivation) : [];
  const others = named.filter((name) => !derivations.includes(name));
  return [
    ...(others.length > 0 ? await infosBy(version, [], others, isRecursive, env) : []),
    ...(derivations.length > 0
      ? await infosBy(version, ["--derivation"], derivations, isRecursive, env)
      : []),
  ];
}

async function infosBy(
  [major, minor]: readonly [number, number],
  flags: readonly string[],
  named: readonly string[],
  isRecursive: boolean,
  env: Env,
): Promise<PathInfo[]> {
  // Without it, 2.34 warns that it will become an error.
  const format = major > 2 || minor >= 33 ? ["--json-format", "1"] : [];
  const args = [
    "path-info",
    "--json",
    ...flags,
    ...format,
    ...(isRecursive ? ["--recursive"] : []),
    "--",
    ...named,
  ];
  const { code, stdout, stderr } = await tryNix("nix", args, { env });
  if (code === 0) return parsePathInfos(stdout);
  if (/--json-format/.test(stderr)) {
    return parsePathInfos(
      (
        await runNix(
          "nix",
          args.filter((arg) => !format.includes(arg)),
          { env },
        )
      ).stdout,
    );
  }
  // The command, or the feature that it needs, is missing. Nix 2.3 warns of experimental-features in any case.
  if (/path-info.*(not a recognised|unknown)|experimental/i.test(errorIn(stderr)))
    return registrations(named, isRecursive, env);
  throw new Failure("failed", `${named.length === 1 ? named[0] : "nix path-info"}: ${errorIn(stderr)}`);
}

const versions = new Map<string, Promise<[number, number] | undefined>>();

/** `undefined` where there is no `nix`, only its older programs. */
function nixVersionOrNone(env: Env): Promise<[number, number] | undefined> {
  const path = env.PATH ?? "";
  const known = versions.get(path) ?? nixVersion(env).catch(() => undefined);
  versions.set(path, known);
  return known;
}

async function registrations(named: readonly string[], isRecursive: boolean, env: Env): Promise<PathInfo[]> {
  const paths = isRecursive
    ? (await runNix("nix-store", ["--query", "--requisites", ...named], { env })).stdout.split("\n")
    : await Promise.all(named.map((path) => realpath(path).catch(() => path)));
  const { stdout } = await runNix("nix-store", ["--dump-db", ...paths.filter((path) => path !== "")], {
    env,
  });
  const infos = parseRegistrations(stdout);
  if (!isRecursive && infos.length < named.length) {
    throw new Failure("failed", "some of these paths are not in the store: build them first");
  }
  return infos;
}

/** References before what refers to them; the order is stable. A cycle, which no store has, ends where it began. */
export function topological(paths: ReadonlyMap<string, PathInfo>): PathInfo[] {
  const sorted: PathInfo[] = [];
  const seen = new Set<string>();
  for (const first of paths.values()) {
    if (seen.has(first.path)) continue;
    seen.add(first.path);
    // A stack of its own: closures are deeper than the engine's.
    const stack = [{ info: first, next: 0 }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const reference = top.info.references[top.next++];
      if (reference === undefined) {
        sorted.push(top.info);
        stack.pop();
        continue;
      }
      const info = paths.get(reference);
      if (info === undefined || seen.has(reference)) continue;
      seen.add(reference);
      stack.push({ info, next: 0 });
    }
  }
  return sorted;
}
