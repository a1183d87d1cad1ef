// The running totals as a value: whatever comes and goes, they are those of what is there.
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  addNar,
  addPath,
  type Figures,
  type NarFigure,
  noFigures,
  type PathFigure,
  removePath,
} from "../../../src/catalog/figures.ts";

const DAY_MS = 24 * 3600 * 1000;

const path: fc.Arbitrary<PathFigure> = fc.record({
  hash: fc.integer({ min: 0, max: 999 }).map((number) => String(number).padStart(32, "0")),
  compression: fc.constantFrom("xz", "zstd", "none"),
  nar_size: fc.integer({ min: 1, max: 10 }),
  file_size: fc.integer({ min: 0, max: 5 }),
  first_push: fc.integer({ min: 0, max: 80 }).map((day) => day * DAY_MS + 5),
});
const nar: fc.Arbitrary<NarFigure> = fc.record({
  key: fc.constantFrom("a", "b"),
  size: fc.integer({ min: 0, max: 5 }),
  content: fc.constantFrom("verified", "unverifiable", "false", null),
  is_queued: fc.constantFrom(0, 1),
});

/** The ten largest, however many are known beside them, or fewer where there are fewer. */
function tenOf(figures: Figures): unknown[] {
  return figures.largest.slice(0, 10);
}

it("paths that come and go leave the totals of those that stay", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(path, { minLength: 0, maxLength: 600, selector: ({ hash }) => hash, size: "max" }),
      fc.infiniteStream(fc.boolean()),
      (paths, choices) => {
        const figures = noFigures();
        const staying = paths.filter((each) => {
          addPath(figures, each);
          return choices.next().value || paths.indexOf(each) % 3 > 0;
        });
        // Of the largest, fewer than are kept go.
        const going = paths.filter((each) => !staying.includes(each)).slice(0, 190);
        for (const each of going) removePath(figures, each);
        const expected = noFigures();
        for (const each of paths) if (!going.includes(each)) addPath(expected, each);
        expect({ ...figures, largest: tenOf(figures), floor: null }).toEqual({
          ...expected,
          largest: tenOf(expected),
          floor: null,
        });
      },
    ),
    { numRuns: 50 },
  );
});

it("knows when it does not know the largest any more", () => {
  const figures = noFigures();
  const paths = Array.from(
    { length: 300 },
    (_, index): PathFigure => ({
      hash: String(index).padStart(32, "0"),
      compression: "xz",
      nar_size: 1,
      file_size: index,
      first_push: 0,
    }),
  );
  for (const each of paths) addPath(figures, each);
  for (const each of paths.slice(100)) removePath(figures, each);
  expect(figures).toMatchObject({ largest: [], floor: [99, "99".padStart(32, "0")] });
  // A smaller one than others that are not known is not one of the largest.
  addPath(figures, { ...paths[0], hash: "x", file_size: 5 } as PathFigure);
  addPath(figures, { ...paths[0], hash: "y", file_size: 500 } as PathFigure);
  expect(figures.largest).toEqual([[500, "y"]]);
});

it("the states of NARs are those of the rows", () => {
  fc.assert(
    fc.property(fc.array(nar, { maxLength: 20 }), (nars) => {
      const figures = noFigures();
      for (const each of nars) addNar(figures, each);
      expect(figures.contents).toEqual({
        verified: nars.filter(({ content }) => content === "verified").length,
        unverifiable: nars.filter(({ content }) => content === "unverifiable").length,
        waiting: nars.filter(({ content, is_queued }) => content === null && is_queued === 1).length,
        unknown: nars.filter(({ content, is_queued }) => content === null && is_queued === 0).length,
      });
      for (const each of nars) addNar(figures, each, -1);
      expect(figures).toEqual(noFigures());
    }),
  );
});
