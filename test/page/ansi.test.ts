/** Terminal output as HTML: in pieces of any size the same, and never more than text and our own spans. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ansiHtml } from "../../src/page/ansi.ts";

function whole(...pieces: readonly string[]): string {
  const terminal = ansiHtml();
  return pieces.map((piece) => terminal.push(piece)).join("") + terminal.end();
}

test.each([
  ["text", "a\tb\n", "a\tb\n"],
  ["HTML", "<b>&\"'</b>", "&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;"],
  ["a colour", "\x1b[31mred\x1b[0m plain", '<span class="f1">red</span> plain'],
  ["several at once", "\x1b[1;4;92mx", '<span class="b u f10">x</span>'],
  [
    "one after another",
    "\x1b[31ma\x1b[1mb\x1b[39mc\x1b[22md",
    '<span class="f1">a</span><span class="b f1">b</span><span class="b">c</span>d',
  ],
  ["an empty one, which resets", "\x1b[3mx\x1b[my", '<span class="i">x</span>y'],
  ["of 256", "\x1b[38;5;9mx", '<span class="f9">x</span>'],
  ["of the cube", "\x1b[38;5;196mx", '<span class="f9">x</span>'],
  ["a grey", "\x1b[48;5;232mx", '<span class="g0">x</span>'],
  ["of millions", "\x1b[38;2;0;200;10mx", '<span class="f2">x</span>'],
  ["with colons", "\x1b[38:5:4mx", '<span class="f4">x</span>'],
  ["after a background", "\x1b[48;2;1;2;3;31mx", '<span class="f1 g0">x</span>'],
  ["inverse", "\x1b[7mx", '<span class="fi gi">x</span>'],
  ["inverse colours", "\x1b[31;42;7mx", '<span class="f2 g1">x</span>'],
  ["cursor movements", "a\x1b[2Kb\x1b[1;1Hc\x1b[?25ld", "abcd"],
  ["a title", "a\x1b]0;title\x07b\x1b]0;title\x1b\\c", "abc"],
  ["a link", "\x1b]8;;https://example.org\x1b\\text\x1b]8;;\x1b\\", "text"],
  ["a title that never ends", "\x1b]0;title\nnext", "\nnext"],
  ["a sequence that a line ends", "a\x1b[3\nb\x1b\nc", "a\nb\nc"],
  ["a sequence that another ends", "a\x1b[3\x1b[1mb\x1b\x1b[0mc", 'a<span class="b">b</span>c'],
  ["a title that a link ends", "\x1b]0;title\x1b]8;;x\x07a\x1b]0;title\x1b[1mb", 'a<span class="b">b</span>'],
  ["a title by one byte", "a\u009d0;title\u009cb\u0090x\u009cc", "abc"],
  ["an underline with a form", "\x1b[4:3mx\x1b[4:0my", '<span class="u">x</span>y'],
  ["an underline with a colour", "\x1b[58:5:1m\x1b[58;2;1;2;3mx", "x"],
  ["of millions, in a colour space", "\x1b[38:2::255:0:1mx", '<span class="f9">x</span>'],
  ["what turns the direction of a text", "a\u202eb", "a\ufffdb"],
  ["a charset", "\x1b(Bx\x1b=y", "xy"],
  ["progress", "1%\r2%\r\n3%\r", "1%\n2%\n3%\n"],
  ["other controls", "a\0\b\x7f\u0085b", "ab"],
  ["an end within", "a\x1b[3", "a"],
  ["a sequence that is none", `\x1b[${"1;".repeat(300)}x`, expect.stringMatching(/^[1;x]*$/)],
])("%s", (_, text, expected) => {
  expect(whole(text)).toEqual(expected);
});

const PIECE = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "\x1b",
    "\x1b[",
    "31",
    ";1",
    "m",
    "38;5;",
    "\x1b]",
    "\x07",
    "\r",
    "\n",
    "<script>",
    '"',
    "&",
  ),
);

test("the same in pieces", () => {
  fc.assert(
    fc.property(fc.array(PIECE), (pieces) => {
      expect(whole(...pieces)).toBe(whole(pieces.join("")));
    }),
  );
});

test("text and spans, closed, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(PIECE), (pieces) => {
      const made = whole(...pieces);
      expect(made.replace(/<span class="[a-z0-9 ]+">[^<]*<\/span>/g, "")).not.toMatch(/[<>"']/);
    }),
  );
});
