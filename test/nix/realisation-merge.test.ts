/** A realisation pushed again: the first stays, signatures are added, none is lost. */
import { expect, test } from "vitest";
import { parseRealisation } from "../../src/nix/realisation.ts";
import { mergeRealisation } from "../../src/nix/realisation-merge.ts";

const ID = `sha256:${"0".repeat(64)}!out`;
const PATH = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv-demo";
const SIG = `a-1:${new Uint8Array(64).toBase64()}`;
const OTHER = `b-1:${new Uint8Array(64).toBase64()}`;
const BOUND = { max: 32, preferred: () => false };

const read = (fields: object) =>
  parseRealisation(`realisations/${ID}.doi`, JSON.stringify({ id: ID, outPath: PATH, ...fields }));

test("the same output path: signatures of both, and nothing else of the later one", () => {
  const stored = read({ signatures: [SIG], more: 1 });
  const incoming = read({ signatures: [OTHER, SIG], more: 2, dependentRealisations: { [ID]: PATH } });
  expect(mergeRealisation(stored, incoming, BOUND)).toEqual({
    outcome: "same",
    realisation: { ...stored, signatures: [SIG, OTHER] },
    changed: true,
  });
});

test.each([[[]], [[SIG]]])("signatures %j take nothing away and change nothing", (signatures) => {
  const stored = read({ signatures: [SIG, OTHER] });
  expect(mergeRealisation(stored, read({ signatures }), BOUND)).toEqual({
    outcome: "same",
    realisation: stored,
    changed: false,
  });
});

test("beyond the bound what is stored stays, but for what is preferred", () => {
  const merge = (preferred: (signature: string) => boolean) =>
    mergeRealisation(read({ signatures: [SIG] }), read({ signatures: [OTHER] }), { max: 1, preferred });
  expect(merge(() => false)).toMatchObject({ changed: false });
  expect(merge((signature) => signature === OTHER)).toMatchObject({ realisation: { signatures: [OTHER] } });
});

test("another output path: the stored one stays", () => {
  expect(mergeRealisation(read({}), read({ outPath: `${PATH}-2` }), BOUND)).toEqual({ outcome: "differs" });
});
