// The table `upstream_paths`: references that are not here and that an upstream had when it was asked. Rows of upstreams
// that are configured no more count for nothing.
import type { UpstreamPath } from "../../contract/paths.ts";
import type { CatalogContext } from "../context.ts";
import { publishedAmong } from "./publications.ts";

/** SQL that holds where an upstream has the path; the parameters are SQL for its hash part and for {@link upstreamList}. */
export const IS_UPSTREAM = (hash: string, list: string) =>
  `EXISTS (SELECT 1 FROM upstream_paths AS upstream_path WHERE upstream_path.hash = ${hash}
     AND upstream IN (SELECT value FROM json_each(${list})))`;

/** The upstreams that are configured now, as a value for {@link IS_UPSTREAM}. */
export function upstreamList({ config }: Pick<CatalogContext, "config">): string {
  return JSON.stringify(config.upstreams.map(({ url }) => url));
}

/** An upstream was asked and has these paths. Each is written once, and again where another upstream has it now. */
export function saveUpstreamPaths(c: CatalogContext, found: readonly UpstreamPath[]): void {
  if (found.length === 0) return;
  c.sql.exec(
    `INSERT INTO upstream_paths (hash, name, upstream, found)
     SELECT substr(value ->> 'path', 1, 32), substr(value ->> 'path', 34), value ->> 'upstream', ?1
     FROM json_each(?2) WHERE true
     ON CONFLICT (hash) DO UPDATE SET name = excluded.name, upstream = excluded.upstream, found = excluded.found
     WHERE name <> excluded.name OR upstream <> excluded.upstream`,
    c.now(),
    JSON.stringify(found),
  );
}

/** Which of these paths upstreams have, by hash part. */
export function upstreamPathsOf(
  c: CatalogContext,
  hashes: readonly string[],
): ReadonlyMap<string, UpstreamPath> {
  if (hashes.length === 0 || c.config.upstreams.length === 0) return new Map();
  const rows = c.sql
    .exec<{ hash: string; name: string; upstream: string }>(
      `SELECT hash, name, upstream FROM upstream_paths WHERE hash IN (SELECT value FROM json_each(?))
       AND upstream IN (SELECT value FROM json_each(?))`,
      JSON.stringify(hashes),
      upstreamList(c),
    )
    .toArray();
  return new Map(rows.map(({ hash, name, upstream }) => [hash, { path: `${hash}-${name}`, upstream }]));
}

/** Whether an upstream has the path of this base name: nothing needs it here. */
export function isUpstream(c: CatalogContext, baseName: string): boolean {
  const hash = baseName.slice(0, 32);
  return upstreamPathsOf(c, [hash]).get(hash)?.path === baseName;
}

/**
 * Forgets what no path and no publication refers to, and what upstreams had that are configured no more, among the next
 * rows after a hash part. Returns how many these were, and
 * the last.
 */
export function forgetUnusedUpstreamPaths(
  c: CatalogContext,
  after: string,
  limit: number,
): { readonly count: number; readonly last: string | undefined } {
  const next = c.sql
    .exec<{ hash: string }>(
      "SELECT hash FROM upstream_paths WHERE hash > ? ORDER BY hash LIMIT ?",
      after,
      limit,
    )
    .toArray()
    .map(({ hash }) => hash);
  const inUse = publishedAmong(c, next);
  c.sql.exec(
    `DELETE FROM upstream_paths WHERE hash IN (SELECT value FROM json_each(?1))
     AND (upstream NOT IN (SELECT value FROM json_each(?2))
       OR NOT EXISTS (SELECT 1 FROM refs WHERE reference = upstream_paths.hash))`,
    JSON.stringify(next.filter((hash) => !inUse.has(hash))),
    upstreamList(c),
  );
  return { count: next.length, last: next.at(-1) };
}
