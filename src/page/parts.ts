// Pieces that several pages have.
import { type Html, html, type Value } from "./html.ts";

/** Text to copy, with a button for it where scripts run. `label` says what it is; `id` is its own on the page. */
export function copyable(id: string, label: string, text: string): Html {
  return html`<div class="copyable"><pre id="${id}"><code>${text}</code></pre><button type="button" class="copy" data-copy="${id}" hidden aria-label="Copy: ${label}">Copy</button></div>`;
}

export interface Fact {
  readonly term: string;
  readonly value: Value;
}

export function facts(list: readonly Fact[]): Html {
  return html`<dl class="facts">${list.map(({ term, value }) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export function tiles(list: readonly (readonly [label: string, value: Value, note?: Value])[]): Html {
  return html`<ul class="tiles">${list.map(
    ([label, value, note]) =>
      html`<li><span class="label">${label}</span><b>${value}</b>${note && html`<span class="note">${note}</span>`}</li>`,
  )}</ul>`;
}

/** Splits the base name of a store path. */
export function splitBaseName(baseName: string): { hash: string; name: string } {
  return { hash: baseName.slice(0, 32), name: baseName.slice(33) };
}

/** The page of a path. */
export function pathUrl(base: string, hash: string): string {
  return `${base}/_/path/${hash}`;
}

export function storePathLink(base: string, baseName: string): Html {
  const { hash, name } = splitBaseName(baseName);
  return html`<a href="${pathUrl(base, hash)}">${name}</a> <span class="hash">${hash}</span>`;
}
