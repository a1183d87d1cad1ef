// Reads by pushers. A pusher does not send a path or NAR that is here, so it must stay. The catalog records the use
// before the read, so that a collection does not remove it in between.
import { collects } from "../config/retention.ts";
import type { Context, Handler } from "../context.ts";
import { logFailure } from "../http/errors.ts";

/** Records that a pusher reads a narinfo, in a cache that collects. Other reads do not ask the catalog. */
export function touchPathOnPush(read: Handler): Handler {
  return async (context) => {
    const { config, path, catalog } = context;
    if (collects(config) && (await context.isPusher())) {
      const hash = path.replace(/\.narinfo$/, "");
      await recorded(catalog((c) => c.touchPath(hash)));
    }
    return read(context);
  };
}

/** Records that a pusher asks for a NAR. Before an upload it sends a HEAD, which the edge turns into a GET. */
export function touchNarOnPush(read: Handler): Handler {
  return async (context) => {
    const { path, catalog } = context;
    if (await context.isPusher()) await recorded(catalog((c) => c.touchNar(path)));
    return read(context);
  };
}

/**
 * A path that was copied from an upstream stays for as long as it is read: pushers never ask for it. Reads of other paths
 * do not ask the catalog.
 */
export function noteMirroredRead(
  { config, path, catalog, afterwards, daily }: Context,
  object: R2Object,
): void {
  if (!collects(config) || !object.customMetadata?.["pushed-by"]?.startsWith("upstream:")) return;
  const hash = path.replace(/\.narinfo$/, "");
  if (daily.isFirst(`read ${config.cacheName} ${hash}`)) afterwards(catalog((c) => c.touchMirrored(hash)));
}

/** A read must not fail because the catalog is down. */
function recorded(work: Promise<unknown>): Promise<void> {
  return logFailure("a pusher's read was not recorded", work);
}
