// The page "State": the cache in numbers, its pins, the last collection and check, and what it costs.
import type { Context, Handler } from "../context.ts";
import type { PinPage } from "../contract/pins.ts";
import type { CheckReport, GcReport } from "../contract/runs.ts";
import type { Stats } from "../contract/stats.ts";
import { costs } from "./costs.ts";
import { ago, bytes, counted, number } from "./format.ts";
import { type Html, html } from "./html.ts";
import { basePath, page } from "./layout.ts";
import { copyable, type Fact, facts, storePathLink, tiles } from "./parts.ts";
import { growthPlot } from "./plot.ts";
import { list } from "./search.ts";

const SHOWN_PINS = 50;

export const statePage: Handler = async (context) => {
  const { catalog } = context;
  const [stats, pins, gc, check] = await Promise.all([
    catalog((c) => c.stats()),
    catalog((c) => c.listPins({ limit: SHOWN_PINS })),
    catalog((c) => c.gcStatus()),
    catalog((c) => c.checkStatus()),
  ]);
  const base = basePath(context);
  const size = stats.by_compression.reduce((sum, { file_size }) => sum + file_size, 0);
  const body = html`<h1>State</h1><p class="note">As of ${ago(stats.as_of)}.${stats.counting === true && " Everything is being counted again: some numbers are not complete yet."}</p>
${tiles([
  ["Paths", number(stats.paths)],
  ["Stored", bytes(stats.stored_size), counted(stats.nars, "NAR")],
  ["Unpacked", bytes(stats.nar_size)],
  ["Catalog", bytes(stats.catalog_size)],
])}
<section aria-labelledby="growth"><h2 id="growth">Growth</h2>${growthPlot(stats.growth, size)}</section>
<div class="cards wide"><section aria-labelledby="compression"><h2 id="compression">By compression</h2>${byCompression(stats)}</section>
<section aria-labelledby="verification"><h2 id="verification">Verification</h2>${verification(stats)}</section></div>
<section aria-labelledby="largest"><h2 id="largest">Largest paths</h2>${list(base, stats.largest) || html`<p class="empty">There are none.</p>`}</section>
<section aria-labelledby="pins"><h2 id="pins">Pins</h2>${pinList(base, pins)}</section>
<div class="cards wide"><section aria-labelledby="collection"><h2 id="collection">Collection</h2>${collection(context, gc)}</section>
<section aria-labelledby="check"><h2 id="check">Check</h2>${lastCheck(check)}</section></div>
<section aria-labelledby="costs"><h2 id="costs">Costs of this month</h2>${costs(stats)}</section>`;
  return page(context, { title: "State", section: "state", body });
};

function byCompression({ by_compression: all }: Stats): Html {
  const most = Math.max(1, ...all.map(({ file_size }) => file_size));
  if (all.length === 0) return html`<p class="empty">Nothing is here yet.</p>`;
  return html`<table><thead><tr><th scope="col">Compression</th><th scope="col" class="number">Paths</th><th scope="col" class="number">Stored</th><th scope="col" class="number">Unpacked</th></tr></thead><tbody>${all.map(
    ({ compression, paths, nar_size, file_size }) =>
      html`<tr><th scope="row">${compression}<svg class="share" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect width="${Math.max(0.5, (100 * file_size) / most).toFixed(1)}" height="4"/></svg></th><td class="number">${number(paths)}</td><td class="number">${bytes(file_size)}</td><td class="number">${bytes(nar_size)}</td></tr>`,
  )}</tbody></table>`;
}

function verification({ verification: v }: Stats): Html {
  return facts([
    { term: "Verified", value: counted(v.verified, "NAR") },
    { term: "Waiting", value: counted(v.waiting, "NAR") },
    { term: "Cannot be verified", value: counted(v.unverifiable, "NAR") },
    { term: "Nothing known", value: counted(v.unknown, "NAR") },
    { term: "Found false, and deleted", value: counted(v.false_narinfos.count, "path") },
  ]);
}

function pinList(base: string, { pins, next }: PinPage): Html {
  if (pins.length === 0) return html`<p class="empty">Nothing is pinned.</p>`;
  return html`<ul class="paths">${pins.map(({ name, store_path, revisions: [newest] }) => {
    const baseName = store_path.slice(store_path.lastIndexOf("/") + 1);
    return html`<li><div><b>${name}</b><span>${storePathLink(base, baseName)}</span></div><div class="when">${newest && html`${ago(newest.pinned)}<span class="note">by ${newest.pinned_by}</span>`}</div></li>`;
  })}</ul>${next !== undefined && html`<p class="note">The first ${SHOWN_PINS} are shown; GET /api/v1/pins lists all.</p>`}`;
}

function collection(context: Context, gc: GcReport | undefined): Html {
  const { retentionDays, maxSizeBytes } = context.config;
  const rules: Fact[] = [
    { term: "Paths stay for", value: retentionDays === undefined ? "ever" : counted(retentionDays, "day") },
    { term: "The cache may have", value: maxSizeBytes === undefined ? "any size" : bytes(maxSizeBytes) },
  ];
  if (gc === undefined) return html`${facts(rules)}<p class="empty">None has run yet.</p>${preview(context)}`;
  const what = gc.dry_run ? "The last one only looked" : "The last one";
  return html`${facts([
    ...rules,
    {
      term: what,
      value: html`${gc.finished === undefined ? html`began ${ago(gc.started)} and goes on` : html`ended ${ago(gc.finished)}`}`,
    },
    { term: "It found alive", value: `${counted(gc.alive.paths, "path")}, ${bytes(gc.alive.bytes)}` },
    gc.dry_run
      ? { term: "The next would remove", value: `${counted(gc.dead.paths, "path")}, ${bytes(gc.dead.bytes)}` }
      : { term: "It removed", value: `${counted(gc.removed.paths, "path")}, ${bytes(gc.removed.bytes)}` },
  ])}${gc.stopped !== undefined && html`<p class="warning">${gc.stopped}</p>`}${gc.problem !== undefined && html`<p class="warning">${gc.problem}</p>`}${
    gc.dry_run ? oldest(gc) : preview(context)
  }`;
}

function oldest({ oldest: all }: GcReport): Html | false {
  if (all.length === 0) return false;
  return html`<details><summary>The oldest of them</summary><ul class="plain">${all.map(
    ({ store_path, last_used }) =>
      html`<li><code>${store_path}</code> <span class="note">used ${ago(last_used)}</span></li>`,
  )}</ul></details>`;
}

function preview(context: Context): Html {
  const url = `${new URL(context.request.url).origin}${basePath(context)}/api/v1/gc`;
  return html`<p class="note">What the next would remove is shown here after a dry run:</p>${copyable("dry-run", "the request for a dry run", `curl -H "Authorization: Bearer $ADMIN_TOKEN" \\\n  -d '{"dry_run": true}' ${url}`)}`;
}

function lastCheck(check: CheckReport | undefined): Html {
  if (check === undefined) return html`<p class="empty">None has run yet.</p>`;
  const found = Object.entries(check.findings).filter(([, { count }]) => count > 0);
  return html`${facts([
    {
      term: check.deep ? "The last, deep one" : "The last one",
      value:
        check.finished === undefined ? html`began ${ago(check.started)} and goes on` : ago(check.finished),
    },
    { term: "Narinfos", value: number(check.narinfos) },
    {
      term: "NARs",
      value: check.deep ? `${number(check.nars)}, ${number(check.read)} of them read` : number(check.nars),
    },
    {
      term: "Result",
      value: check.clean
        ? html`<span class="tag good">clean</span>`
        : html`<span class="tag bad">findings</span>`,
    },
  ])}${found.length > 0 && html`<ul class="plain">${found.map(([kind, { count, repaired }]) => html`<li>${kind.replaceAll("-", " ")}: ${number(count)} <span class="note">${number(repaired)} repaired</span></li>`)}</ul>`}${
    check.problem !== undefined && html`<p class="warning">${check.problem}</p>`
  }`;
}
