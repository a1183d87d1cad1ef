/** The NAR parser: takes each tree that Nix can write, in chunks of any size, and nothing else. */
// @module-tag slow
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { narFacts, type Outcome } from "../../src/verify/facts.ts";
import { CASES, concat, type Node, narString, strings, TOO_DEEP, writeNar } from "./nars.ts";
import { cutAt, streamOf } from "./support.ts";

const name = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .filter((bytes) => !bytes.includes(0) && !bytes.includes(0x2f) && !["2e", "2e2e"].includes(bytes.toHex()));
const contents = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 4090, maxLength: 9000 }),
);
const { tree } = fc.letrec<{ tree: Node }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ type: fc.constant("regular" as const), executable: fc.boolean(), contents }),
    fc.record({
      type: fc.constant("symlink" as const),
      target: fc.uint8Array({ minLength: 1, maxLength: 30 }).filter((bytes) => !bytes.includes(0)),
    }),
    fc.record({
      type: fc.constant("directory" as const),
      entries: fc
        .uniqueArray(fc.record({ name, node: tie("tree") }), {
          selector: (each) => each.name.toHex(),
          maxLength: 5,
        })
        .map((entries) => entries.toSorted((a, b) => (a.name.toHex() < b.name.toHex() ? -1 : 1))),
    }),
  ),
}));

const facts = (chunks: Iterable<Uint8Array>, listing = false): Promise<Outcome> =>
  narFacts(streamOf(chunks), { compression: "none", maxNarSize: 2 ** 30, listing });

test("any tree has its hash and size, in chunks of any size", async () => {
  await fc.assert(
    fc.asyncProperty(tree, fc.array(fc.double({ min: 0, max: 1, noNaN: true })), async (root, cuts) => {
      const nar = writeNar(root);
      const chunks = cutAt(
        nar,
        cuts.map((part) => Math.floor(part * nar.length)),
      );
      const digest = createHash("sha256").update(nar).digest();
      const { narHash, ...rest } = asFacts(await facts(chunks));
      expect(rest).toMatchObject({ narSize: nar.length });
      expect(narHash).toBe(`sha256:${nix32(digest)}`);
    }),
  );
});

test("any tree is false when cut, extended, or with a byte of its structure changed", async () => {
  await fc.assert(
    fc.asyncProperty(tree, fc.nat(), fc.integer({ min: 1, max: 255 }), async (root, place, change) => {
      const nar = writeNar(root);
      const at = place % nar.length;
      expect((await facts([nar.subarray(0, at)])).kind).toBe("false");
      expect((await facts([nar, Uint8Array.of(change)])).kind).toBe("false");
      // The structure around an empty file can be changed nowhere.
      const small = writeNar({ type: "regular", executable: true, contents: new Uint8Array() });
      small[at % small.length] = (small[at % small.length] ?? 0) ^ change;
      expect((await facts([small])).kind).toBe("false");
    }),
  );
});

test("a directory with two entries exchanged is false", async () => {
  await fc.assert(
    fc.asyncProperty(tree, fc.nat(), async (root, place) => {
      fc.pre(root.type === "directory" && root.entries.length >= 2);
      if (root.type !== "directory") return;
      const at = place % (root.entries.length - 1);
      const entries = root.entries.toSpliced(at, 2, ...root.entries.slice(at, at + 2).reverse());
      expect((await facts([writeNar({ type: "directory", entries })])).kind).toBe("false");
    }),
  );
});

describe.each(CASES)("$name", ({ bytes, isAccepted, hasRest }) => {
  const kind = isAccepted && hasRest === undefined ? "facts" : "false";

  test(`is ${kind}, in one chunk and in many`, async () => {
    expect((await facts([bytes])).kind).toBe(kind);
    expect((await facts(Array.from(bytes, (byte) => Uint8Array.of(byte)))).kind).toBe(kind);
  });
});

test("what is too deep for new versions of Nix alone cannot be told", async () => {
  expect((await facts([TOO_DEEP.bytes])).kind).toBe("unverifiable");
});

test("a file of an enormous size is told by its length", async () => {
  const head = strings("nix-archive-1", "(", "type", "regular", "contents");
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, 2n ** 52n, true);
  expect(await facts([head, size, new Uint8Array(1000)])).toMatchObject({ kind: "false" });
});

describe("the listing", () => {
  const directory = (...names: Uint8Array[]): Node => ({
    type: "directory",
    entries: names.map((each) => ({ name: each, node: { type: "symlink", target: each } })),
  });
  const text = (value: string) => new TextEncoder().encode(value);

  test("spells names as JSON", async () => {
    const nar = writeNar(directory(text('\u0001\n"\\'), text("a\u007f/".slice(0, 2)), text("\ufeffä\u2028")));
    expect(asFacts(await facts([nar], true)).listing).toBe(
      '{"root":{"entries":{"\\u0001\\n\\"\\\\":{"target":"\\u0001\\n\\"\\\\","type":"symlink"},' +
        '"a\u007f":{"target":"a\u007f","type":"symlink"},' +
        '"\ufeffä\u2028":{"target":"\ufeffä\u2028","type":"symlink"}},"type":"directory"},"version":1}',
    );
  });

  test("is none if a name is not UTF-8", async () => {
    const outcome = asFacts(await facts([writeNar(directory(text("a"), Uint8Array.of(0xff)))], true));
    expect(outcome.listing).toBeUndefined();
  });

  test("is none if it would be too long", async () => {
    const names = Array.from({ length: 40_000 }, (_, index) =>
      text(`${"n".repeat(100)}${String(index).padStart(9, "0")}`),
    );
    expect(asFacts(await facts([writeNar(directory(...names))], true)).listing).toBeUndefined();
  });
});

test("pauses about each 256 KiB, and nothing is read meanwhile", async () => {
  const file = narString(new Uint8Array(10 * 2 ** 20));
  const nar = concat([strings("nix-archive-1", "(", "type", "regular", "contents"), file, strings(")")]);
  let pauses = 0;
  await narFacts(
    streamOf(
      cutAt(
        nar,
        Array.from({ length: 200 }, (_, at) => at * 65_536),
      ),
    ),
    {
      compression: "none",
      maxNarSize: nar.length,
      pause: async () => {
        pauses++;
      },
    },
  );
  expect(pauses).toBe(40);
});

function asFacts(outcome: Outcome): Extract<Outcome, { kind: "facts" }> {
  if (outcome.kind !== "facts") throw new Error(outcome.reason);
  return outcome;
}

/** Nix's base-32, by its definition: the bytes are one number, the least significant first. */
function nix32(bytes: Uint8Array): string {
  let number = BigInt(`0x${Uint8Array.from(bytes).reverse().toHex()}`);
  let text = "";
  for (let digit = 0; digit < 52; digit++) {
    text = "0123456789abcdfghijklmnpqrsvwxyz".charAt(Number(number % 32n)) + text;
    number /= 32n;
  }
  return text;
}
