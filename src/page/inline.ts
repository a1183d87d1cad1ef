// A document of a store path with its styles and pictures in it. A sandboxed document has an origin of its own, so that a
// browser sends no credential with what it loads: where reading files needs one, it would stay without them.
import { imageType } from "./kinds-of-files.ts";
import { type File, find, namesOf, type Tree } from "./tree.ts";

/** Files of one document, and the bytes of all of them. */
const MAX_FILES = 24;
const MAX_BYTES = 4 * 1024 * 1024;

type Read = (file: File) => Promise<Uint8Array>;

/** `at`: the names of the document's own file. What cannot be read, or is too much, stays a link. */
export function withItsFiles(document: Response, tree: Tree, at: readonly string[], read: Read): Response {
  let files = MAX_FILES;
  let bytes = MAX_BYTES;
  const inlined = async (
    element: Element,
    attribute: string,
    typeOf: (name: string) => string | undefined,
  ) => {
    const names = ownFile(at, element.getAttribute(attribute) ?? "");
    const type = typeOf(names?.at(-1) ?? "");
    if (names === undefined || type === undefined || files === 0) return;
    const file = fileAt(tree, names);
    if (file === undefined || file.size > bytes) return;
    files--;
    bytes -= file.size;
    try {
      element.setAttribute(attribute, `data:${type};base64,${(await read(file)).toBase64()}`);
    } catch {
      // It stays a link, as a file that is too far behind in its NAR.
    }
  };
  return new HTMLRewriter()
    .on('link[rel~="stylesheet"][href]', {
      element: (element) =>
        inlined(element, "href", (name) => (name.endsWith(".css") ? "text/css" : undefined)),
    })
    .on("img[src]", { element: (element) => inlined(element, "src", imageType) })
    .transform(document);
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

function fileAt(tree: Tree, names: readonly string[]): File | undefined {
  try {
    const place = find(tree, names);
    return place.kind === "here" && place.node.type === "regular" ? place.node : undefined;
  } catch {
    // There is none.
    return undefined;
  }
}
