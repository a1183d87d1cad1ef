// Answers a question for a narinfo that is not here with that of an upstream. Nix then does not send the path, takes it for
// there when others refer to it, and fetches its NAR from the upstream.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { cacheControl, NARINFO, PRIVATE } from "../bucket/kinds.ts";
import type { Upstream } from "../config/upstream.ts";
import type { Context, Handler } from "../context.ts";
import { HttpError } from "../http/errors.ts";
import { formatNarInfo } from "../nix/narinfo.ts";
import { ASKED_BY_CACHE } from "../upstream/question.ts";

/** Names the upstream in an answer. */
export const UPSTREAM_HEADER = "Nix-Cache-Upstream";

/** For what is being copied: once it is here, it no longer depends on the upstream. */
const SOON_HERE = "public, max-age=60";

/** The same handler for narinfos, whose 404 becomes the narinfo of an upstream that has the path. */
export function orFromUpstream(read: Handler): Handler {
  return async (context) => {
    try {
      return await read(context);
    } catch (error) {
      if (!(error instanceof HttpError) || error.status !== 404) throw error;
      const answer = await fromUpstream(context);
      if (answer === undefined) throw error;
      return answer;
    }
  };
}

async function fromUpstream(context: Context): Promise<Response | undefined> {
  const { request, config, path, upstreams, mayRead } = context;
  // An S3 client asks what is in the bucket; a cache that asks may be one of our upstreams.
  if (upstreams.all.length === 0 || carriesSigV4(request) || request.headers.has(ASKED_BY_CACHE))
    return undefined;
  const isPusher = await context.isPusher();
  const asked = isPusher ? upstreams.all : await forReaders(context);
  if (asked.length === 0) return undefined;
  const hash = path.slice(0, -".narinfo".length);
  const found = await upstreams.find(hash, { isPusher, mayRead }, asked);
  if (typeof found === "string") return undefined;
  const { upstream, info } = found;
  if (upstream.serve === "mirror" && !isPusher) requestCopy(context, hash, upstream);
  const url = upstream.own === undefined ? info.url : new URL(info.url, request.url).href;
  const kept = upstream.serve === "mirror" ? SOON_HERE : NARINFO.cacheControl;
  const bytes = new TextEncoder().encode(formatNarInfo({ ...info, url }));
  return new Response(request.method === "HEAD" ? null : bytes, {
    headers: {
      "Content-Type": NARINFO.contentType,
      "Content-Length": `${bytes.length}`,
      "Cache-Control": isPusher ? PRIVATE : cacheControl(config.isPrivate, kept),
      "Accept-Ranges": "none",
      [UPSTREAM_HEADER]: upstream.url,
    },
  });
}

/** The catalog copies it later. Each isolate says so once a day. */
function requestCopy({ catalog, afterwards, daily, config }: Context, hash: string, { url }: Upstream): void {
  if (daily.isFirst(`mirror ${config.cacheName} ${hash}`)) afterwards(catalog((c) => c.mirror(hash, url)));
}

/** A private cache has let only readers come here; of a public one everybody may read, with a wrong credential, too. */
async function forReaders({ config, mayRead, upstreams }: Context): Promise<readonly Upstream[]> {
  const serving = upstreams.all.filter(({ serve }) => serve !== "pushers");
  const forAll = serving.filter(({ anonymous }) => anonymous);
  if (config.isPrivate || forAll.length === serving.length) return serving;
  return (await mayRead(config.cacheName)) ? serving : forAll;
}
