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
 * `text` may itself be a pattern without `/` and `:`. Only a `*` matches a `*`, so the result then is whether
 * `pattern` covers it.
 */
export function matches(pattern: string, text: string): boolean {
  // met[end]: whether the pattern so far matches the text up to `end`. Takes length times length steps. A regular
  // expression with several `.*` would backtrack in polynomial time, and the text may come from an attacker.
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
