// To what the objects belong that accompany paths: listings, logs, realisations, build traces, debug info.
import { NIX32_CLASS } from "../nix/nix32.ts";

/** Folders of the objects that say only inside to what they belong, in the order of the bucket's listing. */
export const COMPANION_FOLDERS = ["build-trace-v2/", "debuginfo/", "realisations/"] as const;
export const LOG_FOLDER = "log/";

const LISTING = new RegExp(`^(${NIX32_CLASS}{32})\\.ls$`);
const STORE_PATH = new RegExp(`^(?:/.*/)?(${NIX32_CLASS}{32})-[^/]+$`);

/**
 * To what a companion belongs: the hash part of a path; of a log a deriver's base name, of debug info a NAR's key.
 * `text` is its content, where that is JSON. `undefined` where it cannot be made out; such an object is never deleted.
 */
export function ownerOf(key: string, text: string): string | undefined {
  const listing = LISTING.exec(key)?.[1];
  if (listing !== undefined) return listing;
  if (key.startsWith(LOG_FOLDER)) return key.slice(LOG_FOLDER.length);
  const content = objectOf(text);
  return key.startsWith("debuginfo/") ? narOf(content.archive) : pathOf(outPathOf(content));
}

export function saysOwnerInside(key: string): boolean {
  return COMPANION_FOLDERS.some((folder) => key.startsWith(folder));
}

/** Of a realisation, or of a build trace, which may have it one level deeper. */
function outPathOf(content: Record<string, unknown>): unknown {
  return content.outPath ?? objectOf(content.value).outPath;
}

/** A base name, or the whole store path. */
function pathOf(outPath: unknown): string | undefined {
  return typeof outPath === "string" ? STORE_PATH.exec(outPath)?.[1] : undefined;
}

/** Nix writes a URL that is relative to the folder: `../nar/<hash>.nar.xz`. */
function narOf(archive: unknown): string | undefined {
  return typeof archive === "string" ? /^(?:\.\.\/)?(nar\/[!-~]+)$/.exec(archive)?.[1] : undefined;
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null) return { ...value };
  if (typeof value !== "string") return {};
  try {
    return objectOf(JSON.parse(value));
  } catch {
    // Not JSON: it says nothing of whose it is.
    return {};
  }
}
