// The word that a mistyped one stands for.

/** The nearest of `words`, where one is so near that it was probably meant. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  const most = Math.floor(typed.length / 3);
  const [best] = words
    .map((word) => ({ word, distance: isBeginning(typed, word) ? 0 : distance(typed, word) }))
    .filter((each) => each.distance <= most)
    .sort((a, b) => a.distance - b.distance);
  return best?.word;
}

/** Of the word, or the word of it, as in `--token` for `--token-file`. */
function isBeginning(typed: string, word: string): boolean {
  return Math.min(typed.length, word.length) >= 2 && (word.startsWith(typed) || typed.startsWith(word));
}

/** Letters to insert, to remove, to replace, or to exchange with the next (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const of = (line: readonly number[], at: number) => line[at] ?? Infinity;
      const isSame = a[i - 1] === b[j - 1];
      const isExchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(
        Math.min(
          of(row, j) + 1,
          of(next, j - 1) + 1,
          of(row, j - 1) + (isSame ? 0 : 1),
          isExchanged ? of(before, j - 2) + 1 : Infinity,
        ),
      );
    }
    before = row;
    row = next;
  }
  return row.at(-1) ?? 0;
}
