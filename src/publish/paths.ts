// Publishing the paths of one request: narinfos with their listings, each with an answer as to a PUT of its own.
import { NARINFO } from "../bucket/kinds.ts";
import type { Context } from "../context.ts";
import type { PublishedPath } from "../contract/publishing.ts";
import { HttpError, LimitError, oneLine, toHttpError } from "../http/errors.ts";
import { putListing } from "./companion.ts";
import { answerOf, trustedNarInfo } from "./narinfo.ts";
import { type CheckedPath, publishAllOnUpstreams } from "./on-upstreams.ts";

interface SentPath {
  readonly narinfo: string;
  readonly listing?: string;
}

/** One that is refused does not stop the others. Throws {@link HttpError} where the catalog does not answer. */
export async function publishPaths(
  context: Context,
  paths: readonly SentPath[],
): Promise<readonly PublishedPath[]> {
  const checked = await Promise.all(paths.map((path) => orError(() => check(context, path))));
  const sound = checked.flatMap((path) => (path instanceof HttpError ? [] : path));
  const outcomes = await publishAllOnUpstreams(context, sound);
  const outcomeOf = new Map(sound.map((path, index) => [path, outcomes[index]]));
  return Promise.all(
    checked.map(async (path) => {
      if (path instanceof HttpError) return refusal(path);
      const outcome = outcomeOf.get(path);
      if (outcome === undefined) throw new Error("the catalog has an outcome for each path");
      if (outcome instanceof HttpError) return refusal(outcome);
      return { ...answerOf(path, outcome), ...(await listed(context, path)) };
    }),
  );
}

async function check({ config }: Context, { narinfo, listing }: SentPath): Promise<CheckedPath> {
  if (!narinfo.isWellFormed()) throw new HttpError(400, "the narinfo is not UTF-8 text");
  if (new TextEncoder().encode(narinfo).length > NARINFO.maxBytes) {
    throw new LimitError(413, `the narinfo is larger than ${NARINFO.maxBytes} bytes, the limit`);
  }
  return { ...(await trustedNarInfo(narinfo, config)), listing };
}

/** A path is usable without its listing. */
async function listed(
  context: Context,
  { info, listing }: CheckedPath,
): Promise<Pick<PublishedPath, "no_listing">> {
  if (listing === undefined) return {};
  const failure = await orError(() => putListing(context, info.storePath.hash, listing));
  return failure instanceof HttpError ? { no_listing: oneLine(failure.message) } : {};
}

function refusal({ status, message, headers }: HttpError): PublishedPath {
  const seconds = headers["Retry-After"];
  return {
    status,
    message: oneLine(message),
    ...(seconds !== undefined && { retry_after: Number(seconds) }),
  };
}

async function orError<T>(run: () => Promise<T>): Promise<T | HttpError> {
  try {
    return await run();
  } catch (error) {
    return toHttpError(error);
  }
}
