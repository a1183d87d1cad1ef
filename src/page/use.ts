// The page "Use it": what the cache is, and the lines to copy.
import { describeCache } from "../api/cache.ts";
import type { Handler } from "../context.ts";
import type { CacheDescription } from "../contract/cache.ts";
import { type Html, html } from "./html.ts";
import { page } from "./layout.ts";
import { ciLines, type Lines, netrcLines, pullLines, pushLines } from "./lines.ts";
import { copyable, facts } from "./parts.ts";

const VERIFIED = { before: "before they are served", after: "soon after a push", off: "never" } as const;

export const usePage: Handler = async (context) => {
  const cache = await describeCache(context);
  const isPrivate = cache.visibility === "private";
  const body = html`
<div class="hero"><h1>${cache.name}</h1><p class="lead">A Nix binary cache. ${isPrivate ? "Reading it takes a token." : "Anyone may pull from it."}</p>
<div class="keys"><div><h2>Address</h2>${copyable("url", "the address of this cache", cache.url)}</div><div><h2>${cache.public_keys.length > 1 ? "Public keys" : "Public key"}</h2>${keys(cache)}</div></div>
${facts([
  { term: "Reading", value: isPrivate ? "with a token" : "public" },
  { term: "Store", value: html`<code>${cache.store_dir}</code>` },
  { term: "Priority", value: cache.priority },
  { term: "Contents are verified", value: VERIFIED[cache.verification] },
  { term: "Upstreams", value: upstreams(cache) },
])}</div>
<section aria-labelledby="pull"><h2 id="pull">Pull</h2><div class="cards">${isPrivate && card(netrcLines(cache))}${pullLines(cache).map(card)}</div></section>
<section aria-labelledby="pushing"><h2 id="pushing">Push</h2><div class="cards">${pushLines(cache).map(card)}</div></section>
<section aria-labelledby="ci"><h2 id="ci">CI</h2><div class="cards">${ciLines(cache).map(card)}</div></section>`;
  return page(context, { title: "Use it", section: "use", body });
};

function card({ id, title, where, text }: Lines): Html {
  return html`<article class="card"><h3>${title}</h3><p>${where}</p>${copyable(`lines-${id}`, `the lines for ${title}`, text)}</article>`;
}

function keys({ public_keys: all, signs }: CacheDescription): Html {
  if (all.length === 0) {
    return html`<p class="none">This cache does not sign. Its paths have the signatures that they were pushed with: a client must trust those keys.</p>`;
  }
  return html`${copyable("public-key", "what a client trusts", all.join("\n"))}${
    !signs &&
    html`<p class="note">The cache does not sign itself. Every path has a signature by one of these.</p>`
  }`;
}

function upstreams({ upstreams: all }: CacheDescription): Html | string {
  if (all.length === 0) return "none";
  return html`${all.map(({ url }, index) => html`${index > 0 && ", "}<code>${url.replace(/^https:\/\//, "")}</code>`)}`;
}
