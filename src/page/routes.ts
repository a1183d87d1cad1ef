// The routes of the pages. Their code is loaded when the first of them is asked for: the protocol's paths need none of it.
import type { Handler, Route } from "../context.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { wantsHtml } from "./accepts.ts";

const HASH = `(?<hash>${NIX32_CLASS}{32})`;

/** A handler that is loaded on first use. */
function loaded(name: keyof typeof import("./pages.ts")): Handler {
  return async (context) => (await import("./pages.ts"))[name](context);
}

function page(path: string, permission: Route["permission"], name: Parameters<typeof loaded>[0]): Route {
  return { method: "GET", pattern: new RegExp(`^/_${path}$`, "s"), permission, handler: loaded(name) };
}

export const PAGE_ROUTES: readonly Route[] = [
  page("/?", "pull", "usePage"),
  page("/(?:style|script|icon)-[0-9a-f]+\\.(?:css|js|svg)", "none", "asset"),
  page("/search", "list", "searchPage"),
  page("/state", "list", "statePage"),
  page(`/path/${HASH}`, "pull", "pathPage"),
  page("/log/(?<drv>[^/]+)", "pull", "logPage"),
  page(`/files/${HASH}(?<file>/.*)?`, "list", "filesPage"),
  page(`/raw/${HASH}(?<file>/.*)?`, "list", "rawFile"),
  page(`/serve/${HASH}(?<file>/.*)?`, "list", "servedFile"),
];

/** Answers the front page with a page for browsers, and with `text` for everybody else. */
export function pageOr(text: Handler): Handler {
  return async (context) => (wantsHtml(context.request) ? loaded("usePage")(context) : text(context));
}
