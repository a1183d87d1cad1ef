// Answers a pusher who asks for a NAR by the name of another program, under which it was uploaded: S3 clients look after
// an upload whether it has arrived. Readers do not need that name: the narinfo says Nix's.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { narKeySha256 } from "../bucket/nar-object.ts";
import type { Handler } from "../context.ts";
import { HttpError } from "../http/errors.ts";

/** The same handler for NARs, whose 404 becomes the NAR that was sent under the name. */
export function orByOtherName(read: Handler): Handler {
  return async (context) => {
    try {
      return await read(context);
    } catch (error) {
      const { request, path, catalog, isPusher } = context;
      if (!(error instanceof HttpError) || error.status !== 404) throw error;
      if (!carriesSigV4(request) || narKeySha256(path) !== undefined || !(await isPusher())) throw error;
      const key = await catalog((c) => c.narNamed(path));
      if (key === undefined) throw error;
      return read({ ...context, path: key });
    }
  };
}
