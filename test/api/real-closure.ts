/** The closure that a real Nix made for the fixtures: what its cache holds, ready to be pushed in Nix's order. */
import { expect } from "vitest";
import type { TestCache } from "../support/cache.ts";

const FOLDER = "../fixtures/nix-2.34.8/xz";
const narInfos = import.meta.glob<string>("../fixtures/nix-2.34.8/xz/*.narinfo", {
  query: "?raw",
  import: "default",
  eager: true,
});
const nars = import.meta.glob<string>("../fixtures/nix-2.34.8/xz/nar/*", {
  query: "?url&inline",
  import: "default",
  eager: true,
});

/** Hash parts; each refers to the one before it, `APP` to itself, too. */
export const LIB = "p8zxr21qmbn9fwd0jvcsmk73wfrl8axy";
export const APP = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv";
export const DEMO = "pqpcs4zhmra4mhifhyq8vj5kf67xi8qs";
/** Refers to nothing, and is content-addressed. */
export const TREE = "5x9p2r9m4ghih0x6q4c0d3839yjn6knp";

export function narInfoOf(hash: string): string {
  return narInfos[`${FOLDER}/${hash}.narinfo`] ?? "";
}

/** Pushes everything, references first. */
export async function pushRealClosure(cache: TestCache): Promise<void> {
  for (const [path, url] of Object.entries(nars)) {
    const bytes = Uint8Array.fromBase64(url.slice(url.indexOf(",") + 1));
    const key = path.replace(`${FOLDER}/`, "/");
    expect(await cache.put(key, bytes)).toMatchObject({ status: 201 });
  }
  for (const hash of [TREE, LIB, APP, DEMO]) {
    expect(await cache.put(`/${hash}.narinfo`, narInfoOf(hash))).toMatchObject({ status: 201 });
  }
}
