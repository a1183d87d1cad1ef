// POST /missing: which of many paths are not in the cache. A pusher asks before it uploads. It costs one call of the
// catalog and no operation of the bucket.
import { unauthorized } from "../auth/gate/identify.ts";
import { may } from "../auth/grants.ts";
import { collects } from "../config/retention.ts";
import type { Context } from "../context.ts";
import { MAX_PATHS, MAX_PATHS_OF_ANONYMOUS, MISSING, MISSING_REQUEST } from "../contract/paths.ts";
import { HttpError } from "../http/errors.ts";
import { FormatError, quote } from "../nix/format-error.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { checkBaseName, parseStorePath } from "../nix/store-path.ts";
import { findAll, MAX_QUESTIONS } from "../upstream/upstreams.ts";
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
    description: `Up to ${MAX_PATHS} paths with a credential that may read the cache, up to ${MAX_PATHS_OF_ANONYMOUS} without.`,
    body: MISSING_REQUEST,
    // Room for 20,000 store paths with names of the greatest length, 211 characters.
    maxBodyBytes: 8 * 1024 * 1024,
    // One for each path; longer lists are refused by name.
    maxBodyValues: 2 * MAX_PATHS,
    answer: MISSING,
    errors: {
      401: `More than ${MAX_PATHS_OF_ANONYMOUS} paths, or a private cache, and no credential or a wrong one.`,
      403: "The credential may not read this cache.",
    },
    handle: async (context, { body: { paths, upstreams: leavesOut } }) => {
      if (paths.length > MAX_PATHS_OF_ANONYMOUS) await requireMember(context);
      const { config, catalog, isPusher } = context;
      const hashes = paths.map((path, index) =>
        inBody(`paths[${index}]`, () => hashOf(path, config.storeDir)),
      );
      const collecting = collects(config);
      const mayAsk = leavesOut && config.upstreams.length > 0;
      const isForPush = (mayAsk || collecting) && (await isPusher());
      const asks = mayAsk && isForPush;
      // A pusher is about to rely on the paths that are here.
      const unknown = await catalog((c) => c.missing(hashes, isForPush && collecting, asks));
      const missing = new Set(asks ? await notUpstream(context, unknown) : unknown);
      return { missing: [...new Set(paths.filter((_, index) => missing.has(hashes[index] ?? "")))] };
    },
  }),
];

/** A public read has passed the gate unidentified. Throws {@link HttpError} 401, 403 or 503. */
async function requireMember({ request, config: { cacheName }, identity, identify }: Context): Promise<void> {
  if (may(identity, "pull", cacheName)) return;
  const limit = `more than ${MAX_PATHS_OF_ANONYMOUS} paths in one request need a credential for this cache`;
  const caller = await identify();
  if (caller.kind !== "known") throw unauthorized(request, limit, caller);
  if (may(caller.identity, "pull", cacheName)) return;
  throw new HttpError(403, `${limit}, and ${caller.identity.name} may do nothing with it; ask in several`);
}

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
