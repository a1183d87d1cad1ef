// Upstreams whose names the caller must not see: private caches of this Worker that it may not read.
import type { Context } from "../context.ts";
import type { ListedPath } from "../contract/paths.ts";

/** Their URLs, `/<name>`. */
export async function hiddenUpstreams({
  config,
  mayRead,
}: Pick<Context, "config" | "mayRead">): Promise<ReadonlySet<string>> {
  const hidden = config.upstreams.map(async ({ url, own }) =>
    own?.isPrivate && !(await mayRead(own.name)) ? [url] : [],
  );
  return new Set((await Promise.all(hidden)).flat());
}

/** The detail of a path without these names. Throws as the catalog does. */
export async function readableDetail(context: Context, hash: string): Promise<ListedPath> {
  const [detail, hidden] = await Promise.all([
    context.catalog((c) => c.pathDetail(hash)),
    hiddenUpstreams(context),
  ]);
  const readable = detail.upstream_references.map(({ path, upstream }) => ({
    path,
    upstream: upstream !== null && hidden.has(upstream) ? null : upstream,
  }));
  return { ...detail, upstream_references: readable };
}
