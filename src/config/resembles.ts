// Which known name a misspelt one means: by letters, case, plural, order, and words that are missing or too many.
import { typingErrors } from "../text/typing-errors.ts";

/** Letters of a name that may be wrong: the longer, the more. */
const LETTERS_FOR_ONE_ERROR = 4;
const MAX_ERRORS = 3;
/** A shorter part of a name, or a shorter word, says too little. */
const MIN_PART = 4;

/** The best of `names`; several where they are equally likely, none where `text` resembles none of them. */
export function meantBy(text: string, names: readonly string[]): string[] {
  const found = names.map((name) => ({ name, score: difference(text, name) }));
  const best = Math.min(...found.map(({ score }) => score));
  return best === Number.POSITIVE_INFINITY
    ? []
    : found.filter(({ score }) => score === best).map(({ name }) => name);
}

/** How far a name is from a known one; infinite where it is another. */
function difference(text: string, name: string): number {
  const [sent, known] = [wordsOf(text), wordsOf(name)];
  const [letters, right] = [sent.join(""), known.join("")];
  const errors = typingErrors(letters, right);
  // Word by word: AUTH_TOKEN is not PUSH_TOKEN.
  const isWordByWord =
    sent.length !== known.length ||
    known.every((word, index) => typingErrors(sent[index] ?? "", word) <= errorsIn(word));
  if (errors <= errorsIn(right) && isWordByWord) return errors;
  const isPart = letters.length >= MIN_PART && (right.startsWith(letters) || right.endsWith(letters));
  const hasMore = known.length > 1 && known.every((word) => hasWord(sent, word));
  const hasLess = sent.length > 1 && sent.every((word) => hasWord(known, word));
  return isPart || hasMore || hasLess ? MAX_ERRORS + 1 : Number.POSITIVE_INFINITY;
}

/** The typing errors that a word may have. */
function errorsIn(word: string): number {
  return Math.min(MAX_ERRORS, Math.max(1, Math.floor(word.length / LETTERS_FOR_ONE_ERROR)));
}

/** Whether one of the words is this one, or it with one typing error. */
export function hasWord(words: readonly string[], word: string): boolean {
  return words.some(
    (each) =>
      each === word || (Math.min(each.length, word.length) >= MIN_PART && typingErrors(each, word) <= 1),
  );
}

/** In lower case, without a plural's `s`. */
export function wordsOf(name: string): string[] {
  const words = name.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.map((word) => (word.length >= MIN_PART ? word.replace(/s$/, "") : word));
}
