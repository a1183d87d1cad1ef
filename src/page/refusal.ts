// Refusals as pages. They tell nothing but the refusal itself, which every client may know.
import { toHttpError } from "../http/errors.ts";
import { assets } from "./assets.ts";
import { html } from "./html.ts";
import { document, PAGE_HEADERS } from "./layout.ts";

const TITLES: Readonly<Record<number, string>> = {
  400: "That address is not right",
  401: "Sign in to see this",
  403: "This is not open to you",
  404: "Nothing is here",
  413: "Too large to show",
};

/** The answer to a browser for anything thrown while a page was made; never cached. */
export async function refusalPage(error: unknown): Promise<Response> {
  const { status, message, headers } = toHttpError(error);
  const title = TITLES[status] ?? "That did not work";
  const advice =
    status === 401 &&
    html`<p>Your browser asks for a user name and a password: the password is a <b>token</b> of this cache, the user name may be anything. <a href="">Try again</a></p>`;
  const body = html`<p class="status">${status}</p><h1>${title}</h1><p class="reason">${message}</p>${advice}<p><a href="/">The front page of this server</a></p>`;
  return new Response(document(title, await assets(), body), {
    status,
    headers: { ...PAGE_HEADERS, "Cache-Control": "no-store", ...headers },
  });
}
