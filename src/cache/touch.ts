// Reads by pushers. A pusher that finds a path or a NAR here does not send it and relies on it: it must stay. The catalog
// records the use before the read, so that a collection does not remove what the read is about to find.
import { collects } from "../config/retention.ts";
import type { Handler } from "../context.ts";
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

/** Records that a pusher asks for a NAR: it does so with HEAD before an upload, of which the edge makes a GET. */
export function touchNarOnPush(read: Handler): Handler {
  return async (context) => {
    const { path, catalog } = context;
    if (await context.isPusher()) await recorded(catalog((c) => c.touchNar(path)));
    return read(context);
  };
}

/** A read must not fail because the catalog does not answer. */
function recorded(work: Promise<unknown>): Promise<void> {
  return logFailure("a pusher's read was not recorded", work);
}
