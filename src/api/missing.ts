// POST /missing: which of many paths are not in the cache. A pusher asks before it uploads. It costs one call of the
// catalog and no operation of the bucket.
import { collects } from "../config/retention.ts";
import type { Context } from "../context.ts";
import { MISSING, MISSING_REQUEST } from "../contract/paths.ts";
import { FormatError, quote } from "../nix/format-error.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { checkBaseName, parseStorePath } from "../nix/store-path.ts";
import { findAll } from "../upstream/upstreams.ts";
import { inBody } from "./input.ts";
import { operation } from "./operation.ts";

/** Paths that are asked of upstreams in one request; the platform allows no more requests. */
const MAX_QUESTIONS = 1000;

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
    answer: MISSING,
    handle: async (context, { body: { paths, upstreams: leavesOut } }) => {
      const { config, catalog } = context;
      const hashes = paths.map((path, index) =>
        inBody(`paths[${index}]`, () => hashOf(path, config.storeDir)),
      );
      const asks = leavesOut && config.upstreams.length > 0;
      const isPusher = (asks || collects(config)) && (await context.isPusher());
      // A pusher is about to rely on the paths that are here.
      const isForPush = isPusher && collects(config);
      const unknown = await catalog((c) => c.missing(hashes, isForPush, asks && isPusher));
      const missing = new Set(asks && isPusher ? await notUpstream(context, unknown) : unknown);
      return { missing: [...new Set(paths.filter((_, index) => missing.has(hashes[index] ?? "")))] };
    },
  }),
];

/** Those of these paths that no upstream has, as far as that many are asked for. */
async function notUpstream({ upstreams, mayRead }: Context, hashes: readonly string[]): Promise<string[]> {
  const findings = await findAll(upstreams, hashes.slice(0, MAX_QUESTIONS), { isPusher: true, mayRead });
  return hashes.filter((hash) => typeof (findings.get(hash) ?? "absent") === "string");
}

/** Reads a store path, base name or hash part, in the order of how common they are. Throws {@link FormatError}. */
function hashOf(path: string, storeDir: string): string {
  if (path.startsWith("/")) return parseStorePath(path, storeDir).hash;
  if (HASH_PART.test(path)) return path;
  if (path.includes("-")) return checkBaseName(path).hash;
  throw new FormatError(`${quote(path)} is neither a store path nor a base name nor a hash part`);
}
