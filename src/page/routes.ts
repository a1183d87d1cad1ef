// The routes of the pages.
import type { Handler, Route } from "../context.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { wantsHtml } from "./accepts.ts";
import { asset } from "./assets.ts";
import { filesPage } from "./files.ts";
import { logPage } from "./log.ts";
import { pathPage } from "./path.ts";
import { rawFile, servedFile } from "./raw.ts";
import { searchPage } from "./search.ts";
import { statePage } from "./state.ts";
import { usePage } from "./use.ts";

const HASH = `(?<hash>${NIX32_CLASS}{32})`;

function page(path: string, permission: Route["permission"], handler: Handler): Route {
  return { method: "GET", pattern: new RegExp(`^/_${path}$`, "s"), permission, handler };
}

export const PAGE_ROUTES: readonly Route[] = [
  page("/?", "pull", usePage),
  page("/(?:style|script|icon)-[0-9a-f]+\\.(?:css|js|svg)", "none", asset),
  page("/search", "list", searchPage),
  page("/state", "list", statePage),
  page(`/path/${HASH}`, "pull", pathPage),
  page("/log/(?<drv>[^/]+)", "pull", logPage),
  page(`/files/${HASH}(?<file>/.*)?`, "list", filesPage),
  page(`/raw/${HASH}(?<file>/.*)?`, "list", rawFile),
  page(`/serve/${HASH}(?<file>/.*)?`, "list", servedFile),
];

/** Answers the front page with a page for browsers, and with `text` for everybody else. */
export function pageOr(text: Handler): Handler {
  return async (context) => (wantsHtml(context.request) ? usePage(context) : text(context));
}
