// The page of one store path: everything that the cache knows of it.
import { readableDetail } from "../api/hidden-upstreams.ts";
import { bucketOperation } from "../bucket/operation.ts";
import type { Context, Handler } from "../context.ts";
import type { ListedPath, PathDetail } from "../contract/paths.ts";
import { ago, bytes, counted, number } from "./format.ts";
import { type Html, html, type Value } from "./html.ts";
import { basePath, page } from "./layout.ts";
import { copyable, type Fact, facts, pathUrl, storePathLink, tiles } from "./parts.ts";
import { viewerOf } from "./viewer.ts";

export const pathPage: Handler = async (context) => {
  const { path, request } = context;
  const hash = path.slice(path.lastIndexOf("/") + 1);
  const [found, { mayList }] = await Promise.all([readableDetail(context, hash), viewerOf(context)]);
  // The names of pins are for those who may list them.
  const detail = mayList ? found : { ...found, pins: [] };
  const base = basePath(context);
  const hasLog = await logIsHere(context, detail);
  const url = `${new URL(request.url).origin}${base}`;
  const { closure } = detail;
  const body = html`<p class="crumbs">${mayList ? html`<a href="${base}/_/search">Paths</a>` : "Paths"} /</p>
<h1 class="name">${detail.name}</h1><p class="tags">${verdict(detail)}${detail.incomplete && html` <span class="tag warn">incomplete</span>`}${detail.ca !== null && html` <span class="tag">content-addressed</span>`}${detail.pins.length > 0 && html` <span class="tag">pinned</span>`}</p>
${copyable("store-path", "the store path", detail.store_path)}
${tiles([
  ["Unpacked", bytes(detail.nar_size)],
  ["To download", detail.file_size === null ? "unknown" : bytes(detail.file_size), detail.compression],
  [
    "Closure",
    `${number(closure.paths)}${closure.more ? "+" : ""}`,
    counted(closure.paths, "path here", "paths here"),
  ],
  ["Closure, unpacked", bytes(closure.nar_size), `${bytes(closure.file_size)} to download`],
])}
<p class="actions"><a class="button" href="${base}/_/files/${hash}/">Files${!mayList && " (sign in)"}</a>${
    hasLog &&
    html` <a class="button" href="${base}/_/log/${encodeURIComponent(detail.deriver ?? "")}">Build log</a>`
  } <a class="button plain" href="${base}/${hash}.narinfo">narinfo</a> <a class="button plain" href="${base}/${detail.nar}">NAR</a></p>
<section aria-labelledby="get"><h2 id="get">Copy it into your store</h2>${copyable("copy-path", "the command", `nix copy --from ${url} ${detail.store_path}`)}</section>
<section aria-labelledby="known"><h2 id="known">What is known</h2>${facts(known(detail))}</section>
${references(base, detail)}${referrers(base, detail)}${otherBuilds(detail)}`;
  return page(context, { title: detail.name, section: "search", body });
};

/** One bucket operation, where there is a deriver. */
async function logIsHere({ bucket }: Context, { deriver }: PathDetail): Promise<boolean> {
  if (deriver === null) return false;
  return (await bucketOperation("head", () => bucket.head(`log/${deriver}`))) !== null;
}

const ONE_PUSH_MS = 60_000;

const VERDICTS = {
  verified: ["good", "verified"],
  waiting: ["", "not verified yet"],
  unknown: ["", "not verified"],
  unverifiable: ["warn", "cannot be verified"],
  false: ["bad", "false"],
} as const;

function verdict({ verification: { state, reason } }: PathDetail): Html {
  const [kind, label] = VERDICTS[state];
  return html`<span class="tag ${kind}">${label}</span>${reason && html` <span class="note">${reason}</span>`}`;
}

function known(detail: ListedPath): readonly Fact[] {
  const { verification, signatures, deriver, ca, pins, closure } = detail;
  const optional = (term: string, value: Value): Fact[] => (value === undefined ? [] : [{ term, value }]);
  return [
    { term: "Pushed", value: html`${ago(detail.first_push)} by ${detail.pushed_by}` },
    ...optional("Pushed last", isPushedAgain(detail) ? ago(detail.last_push) : undefined),
    { term: "Its content", value: html`${VERDICTS[verification.state][1]}` },
    {
      term: "Signed by",
      value:
        signatures.length === 0
          ? "nobody"
          : html`<ul class="plain">${signatures.map((signature) => html`<li><code>${signature}</code></li>`)}</ul>`,
    },
    ...optional(
      "Pins",
      pins.length === 0
        ? undefined
        : html`<ul class="plain">${pins.map((pin) => html`<li>${pin}</li>`)}</ul>`,
    ),
    ...optional("Deriver", deriver === null ? undefined : html`<code>${deriver}</code>`),
    ...optional("Content address", ca === null ? undefined : html`<code>${ca}</code>`),
    { term: "NarHash", value: html`<code>${detail.nar_hash}</code>` },
    ...optional("FileHash", detail.file_hash === null ? undefined : html`<code>${detail.file_hash}</code>`),
    ...optional(
      "Not here",
      closure.upstream + closure.missing === 0
        ? undefined
        : `${counted(closure.upstream, "path")} of the closure in an upstream, ${number(closure.missing)} missing`,
    ),
  ];
}

/** A push sets both times, one after the other. */
function isPushedAgain({ first_push, last_push }: PathDetail): boolean {
  return Date.parse(last_push) - Date.parse(first_push) > ONE_PUSH_MS;
}

function references(base: string, detail: PathDetail): Html {
  const upstream = new Map(detail.upstream_references.map(({ path, upstream }) => [path, upstream]));
  const missing = new Set(detail.missing_references);
  const others = detail.references.filter((each) => !each.startsWith(detail.hash));
  const isSelf = others.length < detail.references.length;
  const count = detail.reference_count - (isSelf ? 1 : 0);
  const items = others.map((each) => {
    const from = upstream.get(each);
    if (from === null) return html`<li>${each.slice(33)} <span class="tag">upstream</span></li>`;
    if (from !== undefined)
      return html`<li>${upstreamLink(each, from)} <span class="tag">upstream: ${from.replace(/^https:\/\//, "")}</span></li>`;
    if (missing.has(each)) return html`<li>${each} <span class="tag bad">missing</span></li>`;
    return html`<li>${storePathLink(base, each)}</li>`;
  });
  return html`<section aria-labelledby="references"><h2 id="references">References <span class="count">${number(count)}</span></h2>${isSelf && html`<p class="note">It refers to itself.</p>`}${
    items.length === 0
      ? html`<p class="note">It refers to ${isSelf ? "nothing else" : "nothing"}.</p>`
      : html`<ul class="refs">${items}</ul>`
  }${count > items.length && html`<p class="note">The first ${number(items.length)} are shown.</p>`}</section>`;
}

/** The narinfo at a public upstream; `/<name>` is a cache of this server, which has a page for it. */
function upstreamLink(baseName: string, upstream: string): Html {
  const hash = baseName.slice(0, 32);
  if (upstream.startsWith("/")) return html`<a href="${pathUrl(upstream, hash)}">${baseName.slice(33)}</a>`;
  return /^https?:\/\//.test(upstream)
    ? html`<a href="${upstream}/${hash}.narinfo" rel="noreferrer">${baseName.slice(33)}</a>`
    : html`${baseName.slice(33)}`;
}

function referrers(base: string, detail: PathDetail): Html {
  const { referrers: all, referrer_count: count, more_referrers: more } = detail;
  return html`<section aria-labelledby="referrers"><h2 id="referrers">Referrers <span class="count">${number(count)}${more && "+"}</span></h2>${
    all.length === 0
      ? html`<p class="note">Nothing here refers to it.</p>`
      : html`<ul class="refs">${all.map((each) => html`<li>${storePathLink(base, each)}</li>`)}</ul>`
  }${count > all.length && html`<p class="note">The first ${number(all.length)} are shown.</p>`}</section>`;
}

function otherBuilds({
  differing_builds: builds,
  differing_realisations: outputs,
}: PathDetail): Html | false {
  if (builds.length + outputs.length === 0) return false;
  return html`<section aria-labelledby="builds"><h2 id="builds">Other builds <span class="count">${builds.length + outputs.length}</span></h2><p class="note">Others have pushed other contents for it: it is not reproducible. The first stays.</p><ul class="refs">${builds.map(
    ({ nar_hash, nar_size, first_push, pushed_by }) =>
      html`<li><code>${nar_hash}</code> <span class="note">${bytes(nar_size)}, ${ago(first_push)} by ${pushed_by}</span></li>`,
  )}${outputs.map(
    ({ id, out_path, first_push, pushed_by }) =>
      html`<li><code>${id}</code> → ${out_path} <span class="note">${ago(first_push)} by ${pushed_by}</span></li>`,
  )}</ul></section>`;
}
