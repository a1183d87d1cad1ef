// A binary cache in a directory, as `nix copy --to file://` would write it, made without Nix.
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { dumpNar } from "../real-nix/nar.ts";
import { scratchDir } from "../real-nix/nix.ts";

export type FileCache = { dir: string; narInfos: string[]; nars: string[] };

/**
 * A chain of paths, each of which refers to the one before it. Every referrer's name sorts before that of its
 * reference: the worst order for a client that uploads alphabetically.
 */
export function makeFileCache(length: number, contentBytes = 100): FileCache {
  const dir = scratchDir();
  mkdirSync(join(dir, "nar"));
  writeFileSync(join(dir, "nix-cache-info"), "StoreDir: /nix/store\n");
  const salt = encodeNix32(randomBytes(20)).slice(2);
  const content = join(scratchDir(), "content");
  const cache: FileCache = { dir, narInfos: [], nars: [] };
  let previous = "";
  for (let index = 0; index < length; index++) {
    const name = `${String(99 - index)}${salt}-link`;
    writeFileSync(content, randomBytes(contentBytes));
    const nar = dumpNar(content);
    const hash = `sha256:${encodeNix32(createHash("sha256").update(nar).digest())}`;
    const url = `nar/${hash.slice("sha256:".length)}.nar`;
    const lines = [
      `StorePath: /nix/store/${name}`,
      `URL: ${url}`,
      "Compression: none",
      `FileHash: ${hash}`,
      `FileSize: ${nar.length}`,
      `NarHash: ${hash}`,
      `NarSize: ${nar.length}`,
      `References: ${previous}`,
    ];
    const narInfo = `${name.slice(0, 32)}.narinfo`;
    writeFileSync(join(dir, url), nar);
    writeFileSync(join(dir, narInfo), `${lines.join("\n")}\n`);
    cache.nars.push(url);
    cache.narInfos.push(narInfo);
    previous = name;
  }
  return cache;
}
