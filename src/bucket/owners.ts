// Readers of the owner that a JSON object names in its content.
import { NIX32_CLASS } from "../nix/nix32.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** A base name, or a whole store path. */
const STORE_PATH = new RegExp(`^(?:/.*/)?(${NIX32_CLASS}{32})-[^/]+$`);

/** The hash part of the path of a realisation, or of a build trace, which may have it one level deeper. */
export function outPathIn(content: JsonObject): string | undefined {
  const outPath = content.outPath ?? objectOf(content.value).outPath;
  return typeof outPath === "string" ? STORE_PATH.exec(outPath)?.[1] : undefined;
}

/** The key of the NAR that debug info is in. Nix writes a URL relative to the folder: `../nar/<hash>.nar.xz`. */
export function archiveIn({ archive }: JsonObject): string | undefined {
  return typeof archive === "string" ? /^(?:\.\.\/)?(nar\/[!-~]+)$/.exec(archive)?.[1] : undefined;
}

/** The object of a JSON text, or the value itself if it is an object; empty for anything else. */
export function objectOf(value: unknown): JsonObject {
  if (typeof value === "object" && value !== null) return { ...value };
  if (typeof value !== "string") return {};
  try {
    return objectOf(JSON.parse(value));
  } catch {
    // Not JSON: no owner.
    return {};
  }
}
