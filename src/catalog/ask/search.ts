// Search of the paths by name. It reads only the catalog's tables and costs no bucket operation.
import { MAX_SCANNED, type PathPage, type SearchQuery } from "../../contract/paths.ts";
import type { CatalogContext } from "../context.ts";
import { SUMMARY_COLUMNS, type SummaryRow, summaries, summary } from "./summary.ts";

/**
 * One page, by name. A prefix is a range of the index of names. Of the names in it {@link MAX_SCANNED} are compared with
 * the part that is searched for; if there are more, the page may have few paths or none, and the next begins there.
 */
export function searchPaths(c: CatalogContext, query: SearchQuery): PathPage {
  return query.part === "" ? byPrefix(c, query) : byPart(c, query);
}

/** The rows of `prefix` after the place, by name: the values of the statement's parameters ?1 to ?3. */
const RANGE = "(name, hash) > (?1, ?2) AND name < ?3 ORDER BY name, hash";

function range({ prefix, after }: SearchQuery): [string, string, string] {
  // The first text after all that begin with the prefix: characters of names are ASCII.
  const end = `${prefix}\u{10ffff}`;
  // The place may be of another search.
  return after !== undefined && after.name >= prefix ? [after.name, after.hash, end] : [prefix, "", end];
}

function byPrefix(c: CatalogContext, query: SearchQuery): PathPage {
  const rows = c.sql
    .exec<SummaryRow>(
      `SELECT ${SUMMARY_COLUMNS} FROM paths WHERE ${RANGE} LIMIT ?4`,
      ...range(query),
      query.limit + 1,
    )
    .toArray();
  const shown = rows.slice(0, query.limit);
  const last = shown.at(-1);
  return {
    paths: shown.map((row) => summary(c, row)),
    ...(rows.length > query.limit && last && { next: { name: last.name, hash: last.hash } }),
  };
}

interface Compared extends Record<string, SqlStorageValue> {
  compared: number;
  /** The last name, a space, and its hash: a space is less than every character of a name. */
  last: string | null;
  /** JSON: the hashes of those that match. Without names, because a value has at most 2 MB on this platform. */
  found: string;
}

function byPart(c: CatalogContext, query: SearchQuery): PathPage {
  const { part, limit } = query;
  const { compared, last, found } = c.sql
    .exec<Compared>(
      // Not LIKE: names may contain its wildcards, and its patterns have at most 50 bytes on this platform.
      `SELECT count(*) AS compared, max(name || ' ' || hash) AS last,
         json_group_array(hash) FILTER (WHERE instr(lower(name), lower(?5)) > 0) AS found
       FROM (SELECT name, hash FROM paths WHERE ${RANGE} LIMIT ?4)`,
      ...range(query),
      MAX_SCANNED,
      part,
    )
    .one();
  const hashes = JSON.parse(found) as string[];
  const paths = summaries(c, hashes.slice(0, limit));
  const shown = paths.at(-1);
  if (hashes.length > limit && shown !== undefined) {
    return { paths, next: { name: shown.name, hash: shown.hash } };
  }
  if (compared < MAX_SCANNED || last === null) return { paths };
  const [name = "", hash = ""] = last.split(" ");
  return { paths, next: { name, hash }, scanned: compared };
}
