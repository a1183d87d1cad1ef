/** The template tag: every value is text unless it is HTML of this program. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { html, markup } from "../../src/page/html.ts";

test.each([
  ["text", html`<p>${`<b>"'&`}</p>`, "<p>&lt;b&gt;&quot;&#39;&amp;</p>"],
  ["an attribute", html`<a href="${'"><script>'}">`, '<a href="&quot;&gt;&lt;script&gt;">'],
  [
    "what turns the direction of a text, or is no text",
    html`${"\u202egnp.exe\u2066\0\x1b\x9f"}`,
    "\ufffdgnp.exe\ufffd\ufffd\ufffd\ufffd",
  ],
  ["lines, and letters of any script", html`${"\ta\r\nשלום 😀"}`, "\ta\r\nשלום 😀"],
  ["HTML", html`<p>${html`<b>${"<"}</b>`}</p>`, "<p><b>&lt;</b></p>"],
  ["a list", html`${["<", html`<i>`, 1, ["&"]]}`, "&lt;<i>1&amp;"],
  ["nothing", html`${undefined}${null}${false}${[]}`, ""],
  ["zero", html`${0}`, "0"],
  ["text of this program", html`${markup("<br>")}`, "<br>"],
])("%s", (_, made, expected) => {
  expect(made.text).toBe(expected);
});

test("no text opens a tag or ends an attribute", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(html`${text}`.text).not.toMatch(/[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
    }),
  );
});
