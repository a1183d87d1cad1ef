// Which requests get a page: those below /_/, and those of browsers for the front page.
import { acceptsByName } from "../http/encodings.ts";

/** A path of the pages of a cache, within it. */
export function isPage(path: string): boolean {
  return path === "/_" || path.startsWith("/_/");
}

/** Whether a client asks for HTML by name. curl and Nix take anything, and get text. */
export function wantsHtml({ headers }: Request): boolean {
  return acceptsByName(headers.get("Accept"), ["text/html"]) ?? false;
}
