// The page of the files of a store path: a directory, or a file with its text or picture.
import type { Context, Handler } from "../context.ts";
import { bytes, counted } from "./format.ts";
import { type Html, html } from "./html.ts";
import { imageType } from "./kinds-of-files.ts";
import { basePath, page } from "./layout.ts";
import { pathUrl } from "./parts.ts";
import {
  type Directory,
  type File,
  find,
  type Node,
  namesOf,
  nodeOf,
  readTree,
  type Tree,
  urlOf,
} from "./tree.ts";
import { unpackedBytes } from "./unpacked.ts";

/** Rows of one page. */
const MAX_ENTRIES = 5000;
/** Bytes of a text that are shown. */
const MAX_SHOWN_BYTES = 256 * 1024;

export const filesPage: Handler = async (context) => {
  const { path, bucket, config } = context;
  const below = path.slice("_/files/".length);
  const hash = below.slice(0, 32);
  const names = namesOf(below.slice(32));
  const tree = await readTree(bucket, hash, config.storeDir);
  const place = find(tree, names, false);
  if (place.kind === "elsewhere") {
    const location = `${basePath(context)}/_/files/${place.baseName.slice(0, 32)}${urlOf(place.at)}`;
    return new Response(null, { status: 302, headers: { Location: location, "Cache-Control": "no-store" } });
  }
  const base = basePath(context);
  const { node, at } = place;
  const shown = { context, tree, base, hash, at };
  const content =
    node.type === "directory"
      ? directory(shown, node)
      : node.type === "symlink"
        ? html`<p>A symlink to ${link(shown, at, node.target)}.</p>`
        : await file(shown, node);
  const { name } = tree.info.storePath;
  const title = at.at(-1) ?? name;
  const body = html`${crumbs(shown, name)}<h1 class="name">${title}</h1>${content}`;
  return page(context, { title: `${title}: files`, section: "search", body });
};

interface Shown {
  readonly context: Context;
  readonly tree: Tree;
  readonly base: string;
  readonly hash: string;
  readonly at: readonly string[];
}

function filesUrl({ base, hash }: Shown, names: readonly string[], isDirectory: boolean): string {
  return `${base}/_/files/${hash}${urlOf(names)}${isDirectory ? "/" : ""}`;
}

function crumbs(shown: Shown, name: string): Html {
  const { base, hash, at } = shown;
  const parents = at.slice(0, -1).map((_, index) => at.slice(0, index + 1));
  return html`<nav class="crumbs" aria-label="Place"><a href="${pathUrl(base, hash)}">${name}</a> / ${
    at.length > 0 && html`<a href="${filesUrl(shown, [], true)}">files</a> / `
  }${parents.map((names) => html`<a href="${filesUrl(shown, names, true)}">${names.at(-1)}</a> / `)}</nav>`;
}

function directory(shown: Shown, { entries }: Directory): Html {
  const { base, hash, at } = shown;
  const rows = [...entries].slice(0, MAX_ENTRIES);
  const hasIndex = entries.has("index.html");
  return html`<p class="actions"><span class="note">${counted(entries.size, "entry", "entries")}</span>${
    hasIndex && html` <a class="button" href="${base}/_/serve/${hash}${urlOf(at)}/">Open as a web page</a>`
  }</p><ul class="files">${rows.map(([name, value]) => entry(shown, name, nodeOf(value)))}</ul>${
    rows.length < entries.size && html`<p class="note">The first ${rows.length} are shown.</p>`
  }`;
}

function entry(shown: Shown, name: string, node: Node): Html {
  const names = [...shown.at, name];
  const url = filesUrl(shown, names, node.type === "directory");
  const detail =
    node.type === "regular"
      ? html`${node.isExecutable && html`<span class="tag">executable</span> `}${bytes(node.size)}`
      : node.type === "symlink"
        ? html`→ ${node.target}`
        : "directory";
  return html`<li class="${node.type}"><a href="${url}">${name}${node.type === "directory" && "/"}</a><span class="note">${detail}</span></li>`;
}

/** A link to what a symlink leads to, where that is in the store. */
function link({ base, hash, tree }: Shown, at: readonly string[], target: string): Html {
  try {
    const place = find(tree, at);
    const to = place.kind === "here" ? hash : place.baseName.slice(0, 32);
    return html`<a href="${base}/_/files/${to}${urlOf(place.at)}"><code>${target}</code></a>`;
  } catch {
    // It leads nowhere.
    return html`<code>${target}</code>`;
  }
}

async function file(shown: Shown, node: File): Promise<Html> {
  const { context, tree, base, hash, at } = shown;
  const raw = `${base}/_/raw/${hash}${urlOf(at)}`;
  const name = at.at(-1) ?? tree.info.storePath.name;
  const about = html`<span class="note">${bytes(node.size)}${node.isExecutable && ", executable"}</span>`;
  const actions = (isText: boolean) =>
    html`<p class="actions">${about} ${isText && html`<a class="button plain" href="${raw}?text">Plain text</a> `}<a class="button plain" href="${raw}" download="${name}">Download</a>${/\.x?html?$/.test(name) && html` <a class="button plain" href="${base}/_/serve/${hash}${urlOf(at)}">Open as a web page</a>`}</p>`;
  if (imageType(name) !== undefined) {
    return html`${actions(name.endsWith(".svg"))}<p class="picture"><img src="${raw}" alt="${name}"></p>`;
  }
  const length = Math.min(node.size, MAX_SHOWN_BYTES);
  const start = await unpackedBytes(context.bucket, tree.narKey, tree.info, length, node.narOffset);
  // No text has a byte of zero.
  if (start.includes(0)) return html`${actions(false)}<p class="empty">It is no text.</p>`;
  const text = new TextDecoder().decode(start);
  return html`${actions(true)}${
    node.size > start.length && html`<p class="note">The first ${bytes(start.length)} are shown.</p>`
  }<pre class="text" tabindex="0" role="region" aria-label="The text of the file">${text === "" ? "" : html`\n${text}`}</pre>`;
}
