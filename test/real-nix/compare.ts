// The closure in a store, in a form that can be compared with another store's.
import { expect } from "vitest";
import { narHash } from "./nar.ts";
import { type Client, nixAtLeast } from "./nix.ts";

/** `nix path-info --json` of one path, in every version. */
type PathInfo = {
  path?: string;
  narHash: string;
  narSize: number;
  references: string[];
  deriver?: string | null;
  ca?: string | null;
  signatures?: string[];
  url?: string;
};

/** The closure of a path as a store knows it: the client's own, or with `--store URL` another. */
export async function pathInfos(
  client: Client,
  path: string,
  ...options: string[]
): Promise<Map<string, PathInfo>> {
  const format = nixAtLeast(2, 34) ? ["--json-format", "1"] : [];
  const json = await client.nix("path-info", "--json", ...format, "-r", ...options, path);
  // Up to 2.18 a list, later a record by path.
  const parsed: PathInfo[] | Record<string, PathInfo> = JSON.parse(json);
  const entries = Array.isArray(parsed)
    ? parsed.map((info) => [info.path, info] as const)
    : Object.entries(parsed);
  return new Map(entries.map(([path, info]) => [String(path), info]));
}

/** A closure's metadata without the legitimate differences between stores: time, signatures, trust. */
export function facts(infos: Map<string, PathInfo>) {
  return Object.fromEntries(
    [...infos].map(([path, info]) => [
      path,
      {
        narHash: info.narHash,
        narSize: info.narSize,
        references: [...info.references].sort(),
        deriver: info.deriver ?? undefined,
        ca: info.ca ?? undefined,
      },
    ]),
  );
}

/**
 * Fails unless both clients hold `size` paths as the closure of `path`, with the same metadata and the
 * same bytes, by Nix's account and by that of the disk.
 */
export async function expectSameClosure(a: Client, b: Client, path: string, size: number): Promise<void> {
  const pushed = await pathInfos(a, path);
  const pulled = await pathInfos(b, path);
  expect(pushed.size).toBe(size);
  expect(facts(pulled)).toEqual(facts(pushed));
  for (const [storePath, info] of pulled) expect(narHash(b.root + storePath), storePath).toBe(info.narHash);
}
