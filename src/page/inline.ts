// A document of a store path with its styles, pictures and fonts in it. A sandboxed document has an origin of its own, so
// that a browser sends no credential with what it loads: where reading files needs one, it would stay without them.
import { betterFonts, servedType } from "./kinds-of-files.ts";
import { type File, find, namesOf, type Tree } from "./tree.ts";

/** Files of one document, and the bytes of all of them. */
const MAX_FILES = 64;
const MAX_BYTES = 4 * 1024 * 1024;
/** Bytes that are put into one document, or read for that: each reference to a file has the whole of it. */
const MAX_COPIED_BYTES = 16 * 1024 * 1024;
/** A stylesheet of the document is the first level, what it imports the next. Each is one reading of the NAR. */
const MAX_LEVELS = 4;

/** In a stylesheet: `url(...)`, and an import by a plain text. */
const IN_STYLE =
  /url\(\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"'()]+))\s*\)|(?<=@import\s+)(?:"([^"\n]*)"|'([^'\n]*)')/g;
const CSS = "text/css";

/** Reads these files in one go; those that cannot be read are left out. */
type Read = (files: readonly File[]) => Promise<ReadonlyMap<File, Uint8Array>>;
/** The URL for a reference, or `undefined` to leave it as it is. */
type Replace = (reference: string) => string | undefined;

/** `at`: the names of the document's own file. What cannot be read, or is too much, stays a link. */
export async function withItsFiles(
  response: Response,
  tree: Tree,
  at: readonly string[],
  read: Read,
): Promise<Response> {
  const headers = new Headers(response.headers);
  for (const name of ["Content-Length", "ETag", "Accept-Ranges"]) headers.delete(name);
  const document = await response.arrayBuffer();
  const files = new Map<string, Found>();
  const contents = new Map<File, Uint8Array>();
  let bytes = MAX_BYTES;
  let level: Found[] = [];

  const wantIn = (from: readonly string[]) => (reference: string) => {
    const names = ownFile(from, reference);
    const key = names?.join("/") ?? "";
    if (names === undefined || files.has(key) || files.size === MAX_FILES) return undefined;
    const found = fileAt(tree, names);
    if (found === undefined || found.file.size > bytes) return undefined;
    bytes -= found.file.size;
    files.set(key, found);
    level.push(found);
    return undefined;
  };
  await rewriter(wantIn(at)).transform(new Response(document)).arrayBuffer();
  for (let levels = 0; level.length > 0 && levels < MAX_LEVELS; levels++) {
    const wanted = level;
    level = [];
    for (const [file, content] of await read(wanted.map(({ file }) => file))) contents.set(file, content);
    for (const { file, type, names } of wanted) {
      const content = contents.get(file);
      if (type === CSS && content !== undefined) inStyle(decoded(content), wantIn(names));
    }
  }

  let room = MAX_COPIED_BYTES;
  const dataIn =
    (from: readonly string[], depth = 0): Replace =>
    (reference) => {
      const { file, type, names } = files.get(ownFile(from, reference)?.join("/") ?? "") ?? {};
      const content = file && contents.get(file);
      // An import in a circle stays a link.
      if (content === undefined || names === undefined || depth === MAX_LEVELS) return undefined;
      room -= content.length;
      if (room < 0) return undefined;
      const whole =
        type === CSS
          ? new TextEncoder().encode(inStyle(decoded(content), dataIn(names, depth + 1)))
          : content;
      room -= whole.length;
      return room < 0 ? undefined : `data:${type};base64,${whole.toBase64()}`;
    };
  return rewriter(dataIn(at)).transform(new Response(document, { headers }));
}

/** Replaces the references of a document. */
function rewriter(replace: Replace): HTMLRewriter {
  const attribute = (name: string, read = (value: string) => value) => ({
    element(element: Element) {
      const url = replace(read(element.getAttribute(name) ?? ""));
      if (url !== undefined) element.setAttribute(name, url);
    },
  });
  let style = "";
  return new HTMLRewriter()
    .on('link[rel~="stylesheet"][href], link[rel~="icon"][href]', attribute("href"))
    .on("img[src]", attribute("src"))
    .on(
      "img[srcset], source[srcset]",
      attribute("srcset", (all) => all.trim().split(/[\s,]/, 1)[0] ?? ""),
    )
    .on("[style]", {
      element(element) {
        const text = element.getAttribute("style") ?? "";
        const replaced = inStyle(text, replace);
        if (replaced !== text) element.setAttribute("style", replaced);
      },
    })
    .on("style", {
      text(chunk) {
        style += chunk.text;
        if (!chunk.lastInTextNode) return void chunk.remove();
        chunk.replace(inStyle(style, replace), { html: true });
        style = "";
      },
    });
}

function inStyle(text: string, replace: Replace): string {
  return text.replace(IN_STYLE, (whole, ...groups: (string | undefined)[]) => {
    const reference = groups.find((each) => each !== undefined);
    const url = reference === undefined ? undefined : replace(reference);
    return url === undefined ? whole : `url("${url}")`;
  });
}

function decoded(content: Uint8Array): string {
  return new TextDecoder().decode(content);
}

/** The names of the file that a relative reference means; `undefined` for any other, and outside of the path. */
export function ownFile(at: readonly string[], reference: string): readonly string[] | undefined {
  if (/^([a-z][a-z0-9+.-]*:|[/\\]|\?|#|$)/i.test(reference)) return undefined;
  let names = at.slice(0, -1);
  try {
    const path = decodeURIComponent(reference.replace(/[?#].*$/s, ""));
    for (const name of namesOf(path)) {
      if (name === "..") {
        if (names.length === 0) return undefined;
        names = names.slice(0, -1);
      } else if (name !== ".") names = [...names, name];
    }
  } catch {
    // A malformed escape.
    return undefined;
  }
  return names;
}

interface Found {
  readonly file: File;
  readonly type: string;
  /** Through symlinks: what a stylesheet refers to is beside the name that it was asked for by, as in a browser. */
  readonly names: readonly string[];
}

/** A style, a picture or a font; none of a font that is here in a better format, which browsers take. */
function fileAt(tree: Tree, names: readonly string[]): Found | undefined {
  const type = servedType(names.at(-1) ?? "").replace(/;.*/, "");
  if (!/^(?:text\/css|image\/|font\/)/.test(type)) return undefined;
  const better = betterFonts(names.at(-1) ?? "");
  if (better.some((name) => regular(tree, [...names.slice(0, -1), name]) !== undefined)) return undefined;
  const file = regular(tree, names);
  return file && { file, type, names };
}

function regular(tree: Tree, names: readonly string[]): File | undefined {
  try {
    const place = find(tree, names);
    return place.kind === "here" && place.node.type === "regular" ? place.node : undefined;
  } catch {
    // There is none.
    return undefined;
  }
}
