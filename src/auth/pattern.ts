// Patterns with `*`, for the names of caches and for the claims of OIDC tokens.

/**
 * Where a single `*` stops. In `repo:acme/*` it stands for a repository and for nothing behind it: were it to run on,
 * the rule would also let in `repo:acme/app:pull_request`, that is, code that nobody has reviewed.
 */
const STOPS = "/:";

/**
 * Whether a pattern stands for the whole of a text. `*` is any run of characters without `/` and `:`, also an empty
 * one; `**` is any run at all; everything else is itself, in the same case.
 *
 * Of patterns without `/` and `:` it also answers whether all that the second stands for the first stands for, too:
 * only a `*` can take up a `*`.
 */
export function matches(pattern: string, text: string): boolean {
  // Which beginnings of the text the pattern has met so far. Its time is length times length: a regular expression
  // with several `.*` would have steps by the power of their number, and the text is a stranger's.
  let met = Array.from({ length: text.length + 1 }, (_, end) => end === 0);
  for (const part of pattern.match(/\*\*+|\*|[^*]/gs) ?? []) {
    const before = met;
    met = new Array<boolean>(text.length + 1).fill(false);
    for (let end = 0; end <= text.length; end++) {
      const last = text.charAt(end - 1);
      met[end] = part.startsWith("*")
        ? before[end] === true ||
          (end > 0 && met[end - 1] === true && (part !== "*" || !STOPS.includes(last)))
        : end > 0 && before[end - 1] === true && part === last;
    }
  }
  return met[text.length] === true;
}
