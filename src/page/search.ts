// The page "Search": the newest paths, or those whose names contain a text.
import * as v from "valibot";
import { pageOf, withCursor } from "../api/page.ts";
import type { Handler } from "../context.ts";
import { AGE_POSITION, NAME_POSITION, PATH_POSITION, type PathSummary } from "../contract/paths.ts";
import { HttpError } from "../http/errors.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { ago, bytes, counted } from "./format.ts";
import { type Html, html } from "./html.ts";
import { basePath, page } from "./layout.ts";
import { pathUrl } from "./parts.ts";

const ROWS = 50;
/** Of a store path's name. */
const MAX_LENGTH = 211;
/** What has the hash part of a store path in it: the path, its base name, its narinfo's URL. */
const WITH_HASH = new RegExp(`^(?:.*/)?(${NIX32_CLASS}{32})(?:[-.].*)?$`);

export const searchPage: Handler = async (context) => {
  const { request, catalog, query } = context;
  const parameters = new URLSearchParams(query);
  const wanted = (parameters.get("q") ?? "").trim();
  const base = basePath(context);
  const [, hash] = WITH_HASH.exec(wanted) ?? [];
  if (hash !== undefined) {
    return new Response(null, {
      status: 303,
      headers: { Location: new URL(pathUrl(base, hash), request.url).href, "Cache-Control": "no-store" },
    });
  }
  if (wanted.length > MAX_LENGTH) throw new HttpError(400, `a name has at most ${MAX_LENGTH} characters`);
  const after = placeOf(parameters.get("cursor"));
  const found = withCursor(
    wanted === ""
      ? await catalog((c) => c.listPaths({ limit: ROWS, ...within(AGE_POSITION, after) }))
      : await catalog((c) =>
          c.searchPaths({ prefix: "", part: wanted, limit: ROWS, ...within(NAME_POSITION, after) }),
        ),
  );
  const { paths, next, scanned } = found;
  const more = next !== undefined && moreLink(base, wanted, next, scanned !== undefined);
  const body = html`<h1>${wanted === "" ? "Newest paths" : html`Paths with “${wanted}”`}</h1>
<form class="search" role="search" action="${base}/_/search"><label for="q">Part of a name, a store path, or a hash</label><div><input id="q" name="q" type="search" value="${wanted}" maxlength="${MAX_LENGTH}" autocomplete="off" autocapitalize="off" spellcheck="false"><button>Search</button></div></form>
${list(base, paths)}${scanned !== undefined && html`<p class="note">${counted(scanned, "name")} compared so far.</p>`}${
  paths.length === 0 &&
  next === undefined &&
  html`<p class="empty">${nothing(wanted, after !== undefined)}</p>`
}${more}`;
  return page(context, { title: wanted === "" ? "Search" : `${wanted}: search`, section: "search", body });
};

function nothing(wanted: string, isLater: boolean): string {
  if (isLater) return "There are no more.";
  return wanted === "" ? "Nothing has been pushed yet." : "No path has a name with this in it.";
}

export function list(base: string, paths: readonly PathSummary[]): Html | false {
  if (paths.length === 0) return false;
  return html`<ul class="paths">${paths.map((path) => row(base, path))}</ul>`;
}

function row(base: string, path: PathSummary): Html {
  const { hash, name, nar_size, file_size, compression, first_push, pushed_by, incomplete } = path;
  return html`<li><div><a href="${pathUrl(base, hash)}">${name}</a>${incomplete && html` <span class="tag warn">incomplete</span>`}<span class="hash">${hash}</span></div><div class="amount">${bytes(nar_size)}<span class="note">${
    file_size === null
      ? compression
      : `${bytes(file_size)} ${compression === "none" ? "stored" : compression}`
  }</span></div><div class="when">${ago(first_push)}<span class="note">by ${pushed_by}</span></div></li>`;
}

function moreLink(base: string, wanted: string, cursor: string, isUnfinished: boolean): Html {
  const query = new URLSearchParams({ ...(wanted !== "" && { q: wanted }), cursor });
  const label = isUnfinished ? "Go on searching" : "Older paths";
  return html`<p class="more"><a class="button" rel="next" href="${base}/_/search?${query.toString()}">${
    wanted === "" || isUnfinished ? label : "More paths"
  }</a></p>`;
}

type Place = v.InferOutput<typeof PATH_POSITION>;

/** Throws {@link HttpError} 400. */
function placeOf(cursor: string | null): Place | undefined {
  if (cursor === null) return undefined;
  const parsed = v.safeParse(pageOf(PATH_POSITION).cursor.wrapped, cursor);
  if (parsed.success) return parsed.output;
  throw wrongCursor();
}

/** Throws {@link HttpError} 400 for the place of another list. */
function within<P>(position: v.GenericSchema<P>, place: Place | undefined): { readonly after?: P } {
  if (place === undefined) return {};
  if (v.is(position, place)) return { after: place };
  throw wrongCursor();
}

function wrongCursor(): HttpError {
  return new HttpError(400, "this is no address of a page of this search; begin again");
}
