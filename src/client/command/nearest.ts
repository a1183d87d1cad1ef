// The word that a mistyped one stands for.
import { typingErrors } from "../../text/typing-errors.ts";

/** The nearest of `words`, where one is so near that it was probably meant. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  const most = Math.floor(typed.length / 3);
  const [best] = words
    .map((word) => ({ word, distance: isBeginning(typed, word) ? 0 : typingErrors(typed, word) }))
    .filter((each) => each.distance <= most)
    .sort((a, b) => a.distance - b.distance);
  return best?.word;
}

/** Of the word, or the word of it, as in `--token` for `--token-file`. */
function isBeginning(typed: string, word: string): boolean {
  return Math.min(typed.length, word.length) >= 2 && (word.startsWith(typed) || typed.startsWith(word));
}
