// HTML by a template tag that escapes every value that is not HTML itself.

/** HTML that may be put into a page as it is. Only {@link html} and {@link markup} make it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a template takes: text is escaped; lists are joined; `undefined`, `null` and `false` are nothing. */
export type Value = Html | string | number | undefined | null | false | readonly Value[];

/** Values may stand in text and in attributes within quotes, nowhere else. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(String.raw({ raw: strings }, ...values.map(textOf)));
}

/** Text of this program as HTML. */
export function markup(text: string): Html {
  return new Html(text);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** What shows a text as another than it is: control characters, and those that turn its direction. */
const ESCAPED = /[&<>"'\u202a-\u202e\u2066-\u2069]|(?![\t\n\r])\p{Cc}/gu;

export function escapeHtml(text: string): string {
  return text.replace(ESCAPED, (character) => ESCAPES[character] ?? "\ufffd");
}

function textOf(value: Value): string {
  if (value instanceof Html) return value.text;
  if (value === undefined || value === null || value === false) return "";
  if (typeof value === "object") return value.map(textOf).join("");
  return escapeHtml(String(value));
}
