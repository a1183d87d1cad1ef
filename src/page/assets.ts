// The stylesheet, the script and the icon. Their names have a hash of their content, so that they are cached for ever.
import { IMMUTABLE } from "../bucket/kinds.ts";
import type { Handler } from "../context.ts";
import { HttpError } from "../http/errors.ts";
import ICON from "./icon.svg.txt";
// It shows the copy buttons, which do nothing without it.
import SCRIPT from "./script.js.txt";
import STYLE from "./style.css.txt";

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
      "Content-Security-Policy": "sandbox; default-src 'none'",
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
