// Publishing paths whose references may be upstream: the upstreams are asked for those that the catalog does not know, and
// the catalog is told.
import { httpErrorOf, UnknownReferences } from "../catalog-refusals.ts";
import type { Context } from "../context.ts";
import type { CatalogApi } from "../contract/catalog.ts";
import type { PublishOutcome, UpstreamPath } from "../contract/paths.ts";
import type { Result } from "../contract/result.ts";
import { HttpError } from "../http/errors.ts";
import { findAll, MAX_QUESTIONS } from "../upstream/upstreams.ts";
import type { TrustedNarInfo } from "./narinfo.ts";

/** A publication by one of the catalog's methods, which takes what upstreams have. */
type Publish<T> = (
  catalog: DurableObjectStub<CatalogApi>,
  upstream: "ask" | readonly UpstreamPath[],
) => Promise<Result<T>>;

/** Throws {@link HttpError}: what the catalog refuses, and 503 where one request could not ask for all references. */
export async function publishOnUpstreams<T>(context: Context, publish: Publish<T>): Promise<T> {
  try {
    return await context.catalog((c) => publish(c, "ask"));
  } catch (error) {
    if (!(error instanceof UnknownReferences)) throw error;
    return publishAgain(context, publish, error.unknown);
  }
}

async function publishAgain<T>(
  context: Context,
  publish: Publish<T>,
  unknown: readonly string[],
): Promise<T> {
  const { found, isPartly } = await askFor(context, unknown);
  try {
    return await context.catalog((c) => publish(c, found));
  } catch (error) {
    throw isPartly ? askedPartly(error) : error;
  }
}

export interface CheckedPath extends TrustedNarInfo {
  readonly listing: string | undefined;
}

/** What a path has come to, or the refusal for its client. */
export type Outcome = PublishOutcome | HttpError;

/** The same for several paths, each with a result. Throws {@link HttpError} where the catalog does not answer. */
export async function publishAllOnUpstreams(
  { catalog, identity: { name }, ...context }: Context,
  paths: readonly CheckedPath[],
): Promise<readonly Outcome[]> {
  const publish = async (some: readonly CheckedPath[], upstream: "ask" | readonly UpstreamPath[]) => {
    const asked = some.map(({ text, listing }) => ({ narinfo: text, hasListing: listing !== undefined }));
    const results = await catalog((c) => c.publishAll(asked, name, upstream));
    return results.map((result) => (result.ok ? result.value : httpErrorOf(result.refusal)));
  };
  const outcomes: Outcome[] = await publish(paths, "ask");
  const again = outcomes.flatMap((outcome, index) => (outcome instanceof UnknownReferences ? index : []));
  if (again.length === 0) return outcomes;
  const ofRequest = new Set(paths.map(({ info }) => info.storePath.baseName));
  const unknown = outcomes.flatMap((outcome) =>
    outcome instanceof UnknownReferences ? outcome.unknown : [],
  );
  const { found, isPartly } = await askFor(
    context,
    unknown.filter((reference) => !ofRequest.has(reference)),
  );
  const some = again.flatMap((index) => paths[index] ?? []);
  for (const [at, outcome] of (await publish(some, found)).entries()) {
    const isError = isPartly && outcome instanceof HttpError;
    outcomes[again[at] ?? 0] = isError ? askedPartly(outcome) : outcome;
  }
  return outcomes;
}

interface Asked {
  readonly found: readonly UpstreamPath[];
  /** One request could not ask for all. */
  readonly isPartly: boolean;
}

/** Asks the upstreams for paths by their base names. */
async function askFor(
  { upstreams, mayRead }: Pick<Context, "upstreams" | "mayRead">,
  unknown: readonly string[],
): Promise<Asked> {
  const hashes = new Map(unknown.map((baseName) => [baseName.slice(0, 32), baseName]));
  const asked = [...hashes.keys()].slice(0, MAX_QUESTIONS);
  const findings = await findAll(upstreams, asked, { isPusher: true, mayRead });
  const found = [...findings].flatMap(([hash, finding]): UpstreamPath[] => {
    if (typeof finding === "string") return [];
    const path = finding.info.storePath.baseName;
    return path === hashes.get(hash) ? [{ path, upstream: finding.upstream.url }] : [];
  });
  return { found, isPartly: asked.length < hashes.size || [...findings.values()].includes("not-asked") };
}

/** The error to show for one of a path whose references could not all be asked for. */
function askedPartly<E>(error: E): E | HttpError {
  if (!(error instanceof HttpError) || error.status !== 409) return error;
  // What has been found is remembered, so that every try asks for less.
  return new HttpError(
    503,
    "it refers to so many upstream paths that one request could not ask for all; nothing is lost, try again",
    { "Retry-After": "1" },
  );
}
