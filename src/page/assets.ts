// The stylesheet, the script and the icon. Their names have a hash of their content, so that they are cached for ever.
import { IMMUTABLE } from "../bucket/kinds.ts";
import type { Handler } from "../context.ts";
import { HttpError } from "../http/errors.ts";
import { SCRIPT } from "./script.ts";
import STYLE from "./style.css.txt";

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#3346c9"/><g fill="none" stroke="#fff" stroke-width="2.2" stroke-linejoin="round"><path d="M16 6l9 4.6-9 4.6-9-4.6z" fill="#fff"/><path d="M7 16l9 4.6 9-4.6M7 21.2l9 4.6 9-4.6"/></g></svg>`;

const HEX_DIGITS = 12;

export interface Assets {
  /** Paths of the server, for every cache the same. */
  readonly style: string;
  readonly script: string;
  readonly icon: string;
}

interface Loaded extends Assets {
  readonly contents: ReadonlyMap<string, { readonly text: string; readonly type: string }>;
}

let loaded: Promise<Loaded> | undefined;

/** Where the assets are. */
export function assets(): Promise<Assets> {
  return load();
}

/** Answers GET of an asset. Throws {@link HttpError} 404 for one of another version. */
export const asset: Handler = async ({ request, path }) => {
  const { contents } = await load();
  const found = contents.get(`/${path}`);
  if (found === undefined) throw new HttpError(404, "no such file of these pages; load the page again");
  return new Response(request.method === "HEAD" ? null : found.text, {
    headers: {
      "Content-Type": found.type,
      "Cache-Control": IMMUTABLE,
      "Content-Security-Policy": "default-src 'none'; sandbox",
      "Content-Length": `${new TextEncoder().encode(found.text).byteLength}`,
    },
  });
};

function load(): Promise<Loaded> {
  loaded ??= (async () => {
    const style = await named("style", "css", STYLE);
    const script = await named("script", "js", SCRIPT);
    const icon = await named("icon", "svg", ICON);
    const contents = new Map([
      [style, { text: STYLE, type: "text/css; charset=utf-8" }],
      [script, { text: SCRIPT, type: "text/javascript; charset=utf-8" }],
      [icon, { text: ICON, type: "image/svg+xml" }],
    ]);
    return { style, script, icon, contents };
  })();
  return loaded;
}

async function named(name: string, ending: string, text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `/_/${name}-${new Uint8Array(digest).toHex().slice(0, HEX_DIGITS)}.${ending}`;
}
