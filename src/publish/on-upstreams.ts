// Publishing paths whose references may be upstream: the upstreams are asked for those that the catalog does not know, and
// the catalog is told.
import { httpErrorOf, UnknownReferences } from "../catalog-refusals.ts";
import type { Context } from "../context.ts";
import type { CatalogApi } from "../contract/catalog.ts";
import type { PublishOutcome, UpstreamPath } from "../contract/paths.ts";
import type { Result } from "../contract/result.ts";
import { HttpError } from "../http/errors.ts";
import { narPlaceOf } from "../nix/nar-url.ts";
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
  const { found, notAsked } = await askFor(context, unknown);
  try {
    return await context.catalog((c) => publish(c, found));
  } catch (error) {
    throw notAsked.size > 0 ? askedPartly(error) : error;
  }
}

export interface CheckedPath extends TrustedNarInfo {
  readonly listing: string | undefined;
}

/** What a path has come to, or the refusal for its client. */
export type Outcome = PublishOutcome | HttpError;

/** The same for several paths, each with a result. Throws {@link HttpError} where the catalog does not answer. */
export async function publishAllOnUpstreams(
  { catalog, config, recentNars, identity: { name }, ...context }: Context,
  paths: readonly CheckedPath[],
): Promise<readonly Outcome[]> {
  const publish = async (some: readonly CheckedPath[], upstream: "ask" | readonly UpstreamPath[]) => {
    if (some.length === 0) return [];
    const narinfos = some.map(({ info, text }) => ({
      narinfo: text,
      nar: recentNars.find(config.cacheName, narPlaceOf(info.url).key),
    }));
    const results = await catalog((c) => c.publishAll(narinfos, name, upstream));
    return results.map((result): Outcome => (result.ok ? result.value : httpErrorOf(result.refusal)));
  };
  const outcomes = await publish(paths, "ask");
  const unknown = outcomes.map((outcome) => (outcome instanceof UnknownReferences ? outcome.unknown : []));
  const again = paths.filter((_, index) => outcomes[index] instanceof UnknownReferences);
  if (again.length === 0) return outcomes;
  // What refers to one of these waits for it. One that was refused may be upstream.
  const own = new Set(again.map(({ info }) => info.storePath.baseName));
  const { found, notAsked } = await askFor(
    context,
    unknown.flat().filter((reference) => !own.has(reference)),
  );
  const later = (await publish(again, found)).values();
  return outcomes.map((outcome, index) => {
    if (!(outcome instanceof UnknownReferences)) return outcome;
    const last = later.next().value ?? outcome;
    return unknown[index]?.some((reference) => notAsked.has(reference)) ? askedPartly(last) : last;
  });
}

interface Asked {
  readonly found: readonly UpstreamPath[];
  /** Base names for which one request could not ask. */
  readonly notAsked: ReadonlySet<string>;
}

/** Asks the upstreams for paths by their base names. */
async function askFor(
  { upstreams, mayRead }: Pick<Context, "upstreams" | "mayRead">,
  unknown: readonly string[],
): Promise<Asked> {
  const wanted = new Set(unknown);
  const asked = [...new Set(unknown.map(hashPart))].slice(0, MAX_QUESTIONS);
  const findings = await findAll(upstreams, asked, { isPusher: true, mayRead });
  const found = [...findings.values()].flatMap((finding): UpstreamPath[] => {
    if (typeof finding === "string") return [];
    const path = finding.info.storePath.baseName;
    return wanted.has(path) ? [{ path, upstream: finding.upstream.url }] : [];
  });
  const isAsked = (hash: string) => (findings.get(hash) ?? "not-asked") !== "not-asked";
  const notAsked = new Set(unknown.filter((baseName) => !isAsked(hashPart(baseName))));
  return { found, notAsked };
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

function hashPart(baseName: string): string {
  return baseName.slice(0, 32);
}
