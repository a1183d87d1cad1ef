// POST /missing: which of many paths are not in the cache. A pusher asks before it uploads. It costs one call of the
// catalog and no operation of the bucket.
import { collects } from "../config/retention.ts";
import { MAX_PATHS, MISSING, MISSING_REQUEST } from "../contract/paths.ts";
import { FormatError, quote } from "../nix/format-error.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { checkBaseName, parseStorePath } from "../nix/store-path.ts";
import { inBody } from "./input.ts";
import { operation } from "./operation.ts";

const HASH_PART = new RegExp(`^${NIX32_CLASS}{32}$`);

export const MISSING_OPERATIONS = [
  operation({
    id: "missing",
    method: "POST",
    path: "/missing",
    permission: "pull",
    summary: "Which of these paths are not in the cache?",
    body: MISSING_REQUEST,
    // Room for 20,000 store paths with names of the greatest length, 211 characters.
    maxBodyBytes: 8 * 1024 * 1024,
    // One for each path; longer lists are refused by name.
    maxBodyValues: 2 * MAX_PATHS,
    answer: MISSING,
    handle: async ({ config, catalog, isPusher }, { body: { paths } }) => {
      const hashes = paths.map((path, index) =>
        inBody(`paths[${index}]`, () => hashOf(path, config.storeDir)),
      );
      // A pusher is about to rely on the paths that are here.
      const isForPush = collects(config) && (await isPusher());
      const missing = new Set(await catalog((c) => c.missing(hashes, isForPush)));
      return { missing: [...new Set(paths.filter((_, index) => missing.has(hashes[index] ?? "")))] };
    },
  }),
];

/** Reads a store path, base name or hash part, in the order of how common they are. Throws {@link FormatError}. */
function hashOf(path: string, storeDir: string): string {
  if (path.startsWith("/")) return parseStorePath(path, storeDir).hash;
  if (HASH_PART.test(path)) return path;
  if (path.includes("-")) return checkBaseName(path).hash;
  throw new FormatError(`${quote(path)} is neither a store path nor a base name nor a hash part`);
}
