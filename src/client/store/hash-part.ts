// The hash part of a path that a user has named.
import { readlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Failure } from "../ground/failure.ts";
import type { Env } from "../settings/locations.ts";
import { resolve } from "./closure.ts";

const HASH_PART = /(?:^|\/)([0-9a-df-np-sv-z]{32})(?:-[^/]*)?$/;

/** As the kernel has it. */
const MAX_LINKS = 40;

/** Of a hash part, base name, store path, a link to one, or an installable. Throws {@link Failure}. */
export async function hashPartOf(named: string, env: Env): Promise<string> {
  // The path itself may be only in the cache.
  for (let name = named, links = 0; name !== "" && links < MAX_LINKS; links++) {
    const direct = HASH_PART.exec(name)?.[1];
    if (direct !== undefined) return direct;
    const target = await readlink(name).catch(() => "");
    name = target === "" ? "" : join(target.startsWith("/") ? "" : dirname(name), target);
  }
  const [root] = (await resolve([named], false, env)).roots;
  const hash = root === undefined ? undefined : HASH_PART.exec(root)?.[1];
  if (hash === undefined) throw new Failure("usage", `'${named}' names no store path`);
  return hash;
}
