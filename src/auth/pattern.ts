// Patterns with `*`, for the names of caches and for the claims of OIDC tokens.

/**
 * Characters that a single `*` does not match. In `repo:acme/*` it matches a repository only: otherwise the rule would
 * also accept `repo:acme/app:pull_request`, code that has not been reviewed.
 */
const STOPS = "/:";

/**
 * Whether a pattern matches the whole of a text. `*` matches any run of characters without `/` and `:`, also an empty
 * one; `**` matches any run; everything else matches itself, in the same case.
 *
 * `text` may be a pattern without `/` and `:`, too: then the answer is whether `pattern` matches all that it matches,
 * because only a `*` matches a `*`.
 */
export function matches(pattern: string, text: string): boolean {
  // met[end]: whether the pattern so far matches the text up to `end`. Takes length times length steps. A regular
  // expression with several `.*` would take a power of their number, and the text may be an attacker's.
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
