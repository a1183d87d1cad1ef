// The frame of every page: its head, navigation and foot, and the headers of its response.
import { PRIVATE } from "../bucket/kinds.ts";
import type { Context } from "../context.ts";
import { VERSION } from "../contract/cache.ts";
import { type Assets, assets } from "./assets.ts";
import { type Html, html, markup } from "./html.ts";
import { type Viewer, viewerOf } from "./viewer.ts";

/** Nothing but our own files; nothing inline. */
const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Of every page. None is stored by caches: the next push changes it, and it may be for its reader only. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "Content-Type": "text/html; charset=utf-8",
  "Cache-Control": PRIVATE,
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  Vary: "Accept, Authorization",
};

export interface Content {
  readonly title: string;
  /** The entry of the navigation that the page belongs to. */
  readonly section?: Section;
  readonly body: Html;
}

type Section = "use" | "search" | "state";

const SECTIONS: readonly (readonly [section: Section, path: string, label: string])[] = [
  ["use", "/_/", "Use it"],
  ["search", "/_/search", "Search"],
  ["state", "/_/state", "State"],
];

export async function page(context: Context, content: Content): Promise<Response> {
  const [before, after] = await frame(context, content);
  const text = `${before}${content.body.text}${after}`;
  return new Response(context.request.method === "HEAD" ? null : text, { headers: PAGE_HEADERS });
}

/** A page with a long part that is made while it is sent; `long` stands behind the body. */
export async function streamedPage(
  context: Context,
  content: Content,
  long: AsyncGenerator<string>,
): Promise<Response> {
  if (context.request.method === "HEAD") {
    await long.return(undefined);
    return new Response(null, { headers: PAGE_HEADERS });
  }
  const [before, after] = await frame(context, content);
  const encoder = new TextEncoder();
  let isOpen = false;
  const stream = new ReadableStream({
    async pull(controller) {
      if (!isOpen) {
        isOpen = true;
        controller.enqueue(encoder.encode(`${before}${content.body.text}`));
        return;
      }
      const { done, value } = await long.next();
      controller.enqueue(encoder.encode(done ? after : value));
      if (done) controller.close();
    },
    async cancel() {
      await long.return(undefined);
    },
  });
  return new Response(stream, { headers: PAGE_HEADERS });
}

async function frame(context: Context, content: Content): Promise<readonly [string, string]> {
  const { cacheName, folder } = context.config;
  const viewer = await viewerOf(context);
  const base = basePath(context);
  const files = await assets();
  const name = folder === "" ? new URL(context.request.url).host : cacheName;
  return [
    `${head(`${content.title} · ${cacheName}`, files)}${header({ name, base, viewer, icon: files.icon }, content.section).text}<main id="main">`,
    `</main>${footer(base).text}</body></html>`,
  ];
}

/** The path of the cache: its pages are below `/_/` of it. */
export function basePath({ config }: Context): string {
  return config.folder === "" ? "" : `/${config.cacheName}`;
}

/** A document without a cache: everything of it is known to every client. */
export function document(title: string, files: Assets, body: Html): string {
  return `${head(title, files)}<main id="main" class="lone">${body.text}</main></body></html>`;
}

function head(title: string, { style, script, icon }: Assets): string {
  return html`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><link rel="icon" href="${icon}" type="image/svg+xml"><link rel="stylesheet" href="${style}"><script src="${script}" defer></script></head><body>`
    .text;
}

interface Shown {
  readonly name: string;
  readonly base: string;
  readonly viewer: Viewer;
  readonly icon: string;
}

function header({ name, base, viewer, icon }: Shown, current: Section | undefined): Html {
  const links = SECTIONS.map(
    ([section, path, label]) =>
      html`<li><a href="${base}${path}"${section === current && markup(' aria-current="page"')}>${label}</a></li>`,
  );
  const identity =
    viewer.name === undefined
      ? !viewer.mayList && html`<a class="sign-in" href="${base}/_/search">Sign in</a>`
      : html`<span class="who">Signed in as <b>${viewer.name}</b></span>`;
  return html`<a class="skip" href="#main">Skip to the content</a><header class="top"><div class="bar"><a class="brand" href="${base}/_/"><img src="${icon}" width="28" height="28" alt="">${name}</a><nav aria-label="Pages"><ul>${links}</ul></nav>${identity}</div></header>`;
}

function footer(base: string): Html {
  return html`<footer class="foot"><p>Served by nix-cache ${VERSION}</p><ul><li><a href="${base}/api/v1/openapi.json">API</a></li><li><a href="${base}/health">Health</a></li><li><a href="${base}/nix-cache-info">nix-cache-info</a></li></ul></footer>`;
}
