// Publishing a path whose references may be upstream: the upstreams are asked for those that the catalog does not know, and
// the catalog is told.
import { UnknownReferences } from "../catalog-refusals.ts";
import type { Context } from "../context.ts";
import type { CatalogApi } from "../contract/catalog.ts";
import type { UpstreamPath } from "../contract/paths.ts";
import type { Result } from "../contract/result.ts";
import { HttpError } from "../http/errors.ts";
import { findAll, MAX_QUESTIONS } from "../upstream/upstreams.ts";

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
  { catalog, upstreams, mayRead }: Context,
  publish: Publish<T>,
  unknown: readonly string[],
): Promise<T> {
  const hashes = new Map(unknown.map((baseName) => [baseName.slice(0, 32), baseName]));
  const asked = [...hashes.keys()].slice(0, MAX_QUESTIONS);
  const findings = await findAll(upstreams, asked, { isPusher: true, mayRead });
  const found = [...findings].flatMap(([hash, finding]): UpstreamPath[] => {
    if (typeof finding === "string") return [];
    const path = finding.info.storePath.baseName;
    return path === hashes.get(hash) ? [{ path, upstream: finding.upstream.url }] : [];
  });
  try {
    return await catalog((c) => publish(c, found));
  } catch (error) {
    const isPartly = asked.length < hashes.size || [...findings.values()].includes("not-asked");
    if (!(error instanceof HttpError) || error.status !== 409 || !isPartly) throw error;
    // What has been found is remembered, so that every try asks for less.
    throw new HttpError(
      503,
      "it refers to so many upstream paths that one request could not ask for all; nothing is lost, try again",
      { "Retry-After": "1" },
    );
  }
}
