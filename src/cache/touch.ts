// Reads by pushers. A pusher does not send a path or NAR that is here, so it must stay: the catalog records its use. For
// what is not here there is nothing to record, so that a push of something new asks the catalog only when it uploads.
import { collects } from "../config/retention.ts";
import type { Context } from "../context.ts";
import { logFailure } from "../http/errors.ts";

/**
 * Called when an object has been found, before the response. False where it may have been deleted in between: it has to
 * be looked for again. From here on it stays.
 */
export type Touch = (
  context: Pick<Context, "afterwards" | "catalog" | "config" | "daily" | "isPusher" | "path">,
  object: Pick<R2Object, "customMetadata" | "uploaded">,
) => Promise<boolean>;

/** For a narinfo, in a cache that collects. */
export const touchNarInfo: Touch = async (context, object) => {
  const { afterwards, catalog, config, daily, isPusher, path } = context;
  if (!collects(config)) return true;
  const hash = path.replace(/\.narinfo$/, "");
  if (await isPusher()) return recorded(() => catalog((c) => c.touchPath(hash)));
  // What was copied from an upstream stays for as long as it is read: pushers never ask for it. Other reads ask nothing.
  const isMirrored = object.customMetadata?.["pushed-by"]?.startsWith("upstream:") === true;
  if (isMirrored && daily.isFirst(`read ${config.cacheName} ${hash}`)) {
    afterwards(catalog((c) => c.touchMirrored(hash)));
  }
  return true;
};

/** For a NAR. Before an upload Nix sends a HEAD, which the edge turns into a GET. */
export const touchNar: Touch = async ({ catalog, isPusher, path }, { uploaded }) =>
  !(await isPusher()) || recorded(() => catalog((c) => c.touchNar(path, uploaded.getTime())));

/** The second one reaches the catalog that has taken the place of one that died. */
const ATTEMPTS = 2;

/** A read must not fail because the catalog is down: then the object is looked for again. */
async function recorded(record: () => Promise<boolean>): Promise<boolean> {
  let isHere: boolean | undefined;
  for (let attempt = 0; attempt < ATTEMPTS && isHere === undefined; attempt++) {
    await logFailure(
      "a pusher's read was not recorded",
      record().then((result) => {
        isHere = result;
      }),
    );
  }
  return isHere ?? false;
}
