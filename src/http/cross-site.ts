// Requests that pages of other sites make. A browser attaches remembered Basic credentials to them, so they may change
// nothing (CSRF). Programs other than browsers send neither of these headers.
import { HttpError } from "./errors.ts";

const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];
/** https://www.w3.org/TR/fetch-metadata/: `none` is the user's own doing. `same-site` is another site's page, too. */
const OWN_SITE: readonly string[] = ["same-origin", "none"];

/** Throws {@link HttpError} 403 for a request that may change something and does not come from our own origin. */
export function refuseCrossSite({ method, url, headers }: Request): void {
  if (SAFE_METHODS.includes(method)) return;
  const site = headers.get("Sec-Fetch-Site");
  const origin = headers.get("Origin");
  const isOwnSite = site === null || OWN_SITE.includes(site);
  // `null`, the origin of sandboxed pages, is no URL.
  const isOwnOrigin = origin === null || URL.parse(origin)?.origin === new URL(url).origin;
  if (isOwnSite && isOwnOrigin) return;
  throw new HttpError(
    403,
    `this request comes from the page of another site (${isOwnSite ? "Origin" : "Sec-Fetch-Site"}), which may change nothing here (CSRF); send it from a program that is no browser, without that header`,
  );
}
