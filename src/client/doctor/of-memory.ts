// Whether what Nix remembers of the cache is still so.
import { equalHash, parseSha256 } from "../../nix/hash.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { Cache } from "../http/api.ts";
import type { NixSettings } from "../store/nix-settings.ts";
import { type Finding, findingsOf } from "./finding.ts";
import { type Remembered, remembered } from "./remembered.ts";

/** The limit of the API for a question without a token. */
const MAX_ENTRIES = 1000;

/** Without a path: entries that contradict the cache. One question. */
export async function checkMemory(cache: Cache, dir: string, settings: NixSettings): Promise<Finding[]> {
  const { ok, warning } = findingsOf("memory");
  const entries = (await remembered(dir, cache.settings.url, undefined, MAX_ENTRIES))
    .filter((entry) => isFresh(entry, settings))
    .slice(0, MAX_ENTRIES);
  if (entries.length === 0) return [ok("Nix remembers nothing of this cache")];
  const { missing } = await cache.call<{ missing: string[] }>("POST", "/missing", {
    paths: entries.map(({ hash }) => hash),
    upstreams: false,
  });
  const isMissing = new Set(missing);
  const negative = entries.filter((entry) => !entry.isPresent && !isMissing.has(entry.hash)).length;
  const positive = entries.filter((entry) => entry.isPresent && isMissing.has(entry.hash)).length;
  const findings: Finding[] = [];
  if (negative > 0) {
    findings.push(
      warning(
        `Nix remembers ${negative} paths as absent that the cache has, for up to ${settings.negativeTtl / 60} minutes`,
        "nix build --option narinfo-cache-negative-ttl 0 asks again",
      ),
    );
  }
  if (positive > 0) {
    findings.push(warning(`Nix remembers ${positive} paths that the cache no longer has`, forget(entries)));
  }
  return findings.length > 0
    ? findings
    : [ok(`the ${entries.length} newest entries that Nix remembers are right`)];
}

/** What Nix remembers of one path, beside the narinfo that the cache has now; `undefined`: it has none. */
export async function checkMemoryOf(
  hash: string,
  info: NarInfo | undefined,
  url: string,
  dir: string,
  settings: NixSettings,
): Promise<Finding[]> {
  const { ok, fault } = findingsOf("memory");
  const entries = await remembered(dir, url, hash, MAX_ENTRIES);
  const findings = entries
    .filter((entry) => isFresh(entry, settings))
    .flatMap((entry): Finding[] => {
      if (!entry.isPresent) {
        return info === undefined
          ? []
          : [
              fault(
                `Nix remembers the path as absent, and asks again in ${minutesLeft(entry, settings)} minutes`,
                "nix build --option narinfo-cache-negative-ttl 0 asks now",
              ),
            ];
      }
      if (info === undefined)
        return [fault("Nix remembers the path, which the cache no longer has", forget([entry]))];
      if (!sameHash(entry.narHash, info)) {
        return [fault("Nix remembers another build of the path than the cache has", forget([entry]))];
      }
      const unknown = info.signatures.filter((signature) => !entry.signatures.includes(signature));
      if (unknown.length === 0) return [];
      const names = unknown.map((signature) => signature.replace(/:.*/, "")).join(", ");
      return [
        fault(
          `Nix remembers the path without the signature of ${names}, as after pushing it from here`,
          "nix build --option narinfo-cache-positive-ttl 0 asks now",
        ),
      ];
    });
  return findings.length > 0 ? findings : [ok("Nix remembers nothing that contradicts the cache")];
}

function isFresh({ isPresent, since }: Remembered, { negativeTtl, positiveTtl }: NixSettings): boolean {
  return since + (isPresent ? positiveTtl : negativeTtl) > Date.now() / 1000;
}

function minutesLeft({ since }: Remembered, { negativeTtl }: NixSettings): number {
  return Math.ceil((since + negativeTtl - Date.now() / 1000) / 60);
}

function sameHash(text: string, { narHash }: NarInfo): boolean {
  try {
    return equalHash(parseSha256(text), narHash);
  } catch {
    // Of another kind, or none: not what the cache has.
    return false;
  }
}

function forget(entries: readonly Remembered[]): string {
  return `let Nix forget: rm ${[...new Set(entries.map(({ file }) => file))].join(" ")}`;
}
