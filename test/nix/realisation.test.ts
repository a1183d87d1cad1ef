/**
 * Realisations: those of real Nix are read and written the same, and those that some Nix version would refuse are
 * refused.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/nix/format-error.ts";
import { formatRealisation, parseRealisation, type Realisation } from "../../src/nix/realisation.ts";
import vectors from "../fixtures/realisations.json";

const HEX = "0".repeat(64);
const ID = `sha256:${HEX}!out`;
const FLAT = `realisations/${ID}.doi`;
const HASH = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv";
const TRACE = `build-trace-v2/${HASH}-demo.drv/out.doi`;
const PATH = `${HASH}-demo`;
const SIG = `a-1:${new Uint8Array(64).toBase64()}`;
const OTHER = `b-1:${new Uint8Array(64).toBase64()}`;

const flat = (fields: object = {}) => JSON.stringify({ id: ID, outPath: PATH, ...fields });
const trace = (fields: object = {}) => JSON.stringify({ outPath: PATH, ...fields });

test.each([...vectors.flat, ...vectors.buildTrace.vectors])("$key of Nix, byte for byte", ({ key, text }) => {
  expect(formatRealisation(parseRealisation(key, text))).toBe(text);
});

describe("parse", () => {
  test("the flat form", () => {
    const dependency = `sha256:${"1".repeat(64)}!dev`;
    const text = flat({ signatures: [SIG, SIG], dependentRealisations: { [dependency]: PATH }, more: [1] });
    expect(parseRealisation(FLAT, text)).toEqual({
      form: "realisation",
      derivation: `sha256:${HEX}`,
      output: "out",
      outPath: PATH,
      signatures: [SIG],
      dependentRealisations: [[dependency, PATH]],
      extra: [["more", [1]]],
    });
  });

  test("without signatures and dependent realisations, as Nix reads it", () => {
    expect(formatRealisation(parseRealisation(FLAT, flat()))).toBe(
      `{"dependentRealisations":{},"id":"${ID}","outPath":"${PATH}","signatures":[]}`,
    );
  });

  test("a build trace, whose signatures are objects or strings", () => {
    const [keyName, sig] = SIG.split(":");
    const realisation = parseRealisation(TRACE, trace({ signatures: [OTHER, { keyName, sig }, SIG] }));
    expect(realisation).toEqual({
      form: "build-trace",
      derivation: `${HASH}-demo.drv`,
      output: "out",
      outPath: PATH,
      signatures: [OTHER, SIG],
      dependentRealisations: [],
      extra: [],
    });
    const { signatures } = JSON.parse(formatRealisation(realisation));
    expect(signatures).toEqual([
      { keyName: "b-1", sig },
      { keyName: "a-1", sig },
    ]);
  });

  test.each([
    ["realisations/sha256:0!out.doi", "not the name"],
    [`realisations/${ID}`, "not the name"],
    [`realisations/sha256:${HEX}!.doi`, "not the name"],
    [`realisations/sha256:${HEX}.doi`, "not the name"],
    [`realisations/sha1:${HEX}!out.doi`, "not the name"],
    [`realisations/${ID}!x.doi`, "not the name"],
    [`build-trace-v2/${HASH}-demo.drv.doi`, "not the name"],
    [`build-trace-v2/${HASH}-demo.drv/a/b.doi`, "not the name"],
    ["build-trace-v2/demo.drv/out.doi", "base name"],
    [`${HASH}.narinfo`, "not the name"],
    ["", "not the name"],
  ])("the key %s is refused", (key, message) => {
    expect(() => parseRealisation(key, flat())).toThrow(FormatError);
    expect(() => parseRealisation(key, flat())).toThrow(message);
  });

  test("a whole entry, as other programs write it, is written as it came", () => {
    const key = { drvPath: `${HASH}-demo.drv`, outputName: "out" };
    const text = JSON.stringify({ key, value: { outPath: PATH, signatures: [] } });
    const parsed = parseRealisation(TRACE, text);
    expect(parsed).toMatchObject({ form: "build-trace", isWhole: true, outPath: PATH });
    expect(formatRealisation(parsed)).toBe(text);
  });

  test("no Nix reads a whole store path as outPath: it becomes a base name", () => {
    expect(parseRealisation(FLAT, flat({ outPath: `/nix/store/${PATH}` })).outPath).toBe(PATH);
  });

  const deep = (depth: number): unknown => (depth === 0 ? 0 : [deep(depth - 1)]);
  test.each([
    [FLAT, "", "not valid JSON"],
    [FLAT, "null", "not a JSON object"],
    [FLAT, "[]", "not a JSON object"],
    [FLAT, trace(), "id: missing"],
    [FLAT, flat({ id: 7 }), "id: not a string"],
    [FLAT, flat({ id: `sha256:${HEX}!dev` }), "does not belong"],
    [FLAT, flat({ id: `sha256:${"1".repeat(64)}!out` }), "does not belong"],
    [FLAT, JSON.stringify({ id: ID }), "outPath: missing"],
    [FLAT, flat({ outPath: null }), "outPath: not a string"],
    [FLAT, flat({ signatures: SIG }), "signatures: not a list"],
    [FLAT, flat({ signatures: null }), "signatures: not a list"],
    [FLAT, flat({ signatures: ["x"] }), "signatures: "],
    [FLAT, flat({ signatures: [{ keyName: "a-1", sig: SIG.slice(4) }] }), "signatures: not a string"],
    [FLAT, flat({ dependentRealisations: [] }), "dependentRealisations: not an object"],
    [FLAT, flat({ dependentRealisations: { x: PATH } }), "dependentRealisations: "],
    [FLAT, flat({ dependentRealisations: { [ID]: 1 } }), "dependentRealisations: not a string"],
    [FLAT, flat({ dependentRealisations: { [ID]: "x" } }), "dependentRealisations: "],
    [FLAT, flat({ more: deep(100) }), "nested too deeply"],
    [FLAT, flat({ more: ["\ud800"] }), "surrogate"],
    [TRACE, "{}", "outPath: missing"],
    [
      TRACE,
      JSON.stringify({ key: { drvPath: `${HASH}-demo.drv`, outputName: "dev" }, value: { outPath: PATH } }),
      "key: does not belong",
    ],
    [TRACE, trace({ signatures: [{ keyName: "a-1" }] }), "signatures: missing"],
    [TRACE, trace({ signatures: [{ keyName: "a-1", sig: "AAAA" }] }), "signatures: "],
    [TRACE, trace({ signatures: [["a-1"]] }), "signatures: not a string"],
  ])("%s: %s is refused", (key, text, message) => {
    expect(() => parseRealisation(key, text)).toThrow(FormatError);
    expect(() => parseRealisation(key, text)).toThrow(message);
  });

  test("any JSON is a realisation that is written and read the same, or a FormatError of one line", () => {
    const field = fc.constantFrom(
      "id",
      "outPath",
      "signatures",
      "dependentRealisations",
      "__proto__",
      "1",
      "é",
    );
    const value = fc.oneof(
      fc.constantFrom<unknown>(ID, PATH, SIG, [], [SIG], [OTHER, SIG], {}, { [ID]: PATH }),
      fc.jsonValue(),
    );
    // Right but for the fields that follow.
    const text = fc
      .dictionary(field, value)
      .map((fields) => JSON.stringify(Object.assign({ id: ID, outPath: PATH }, fields)));
    fc.assert(
      fc.property(fc.constantFrom(FLAT, TRACE), fc.oneof(text, fc.json(), fc.string()), (key, given) => {
        let realisation: Realisation;
        try {
          realisation = parseRealisation(key, given);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          expect(String(error)).not.toContain("\n");
          return;
        }
        const written = formatRealisation(realisation);
        expect(formatRealisation(parseRealisation(key, written))).toBe(written);
      }),
      { numRuns: 2000 },
    );
  });
});
