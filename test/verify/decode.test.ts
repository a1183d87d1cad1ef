/** Each compression decoded as Nix does it: several streams, checksums, limits, and what is no such file. */
// @module-tag slow
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { narFacts } from "../../src/verify/facts.ts";
import { looksLike } from "../../src/verify/magic.ts";
import { concat } from "./nars.ts";
import { bytesOf, cutAt, streamOf } from "./support.ts";

/** One NAR in every file of the folder. */
const NAR_SIZE = 736_128;
const NAR_HASH = "sha256:0ps2rj5wn3nkcdsd2i6h847xiql4r924n8z7f8wvwp6fwnz8hlnz";
const COMPRESSIONS: Record<string, string> = { xz: "xz", bz2: "bzip2", gz: "gzip", zst: "zstd" };

const loaders = import.meta.glob<string>("../fixtures/nar-files/*", {
  query: "?url&inline",
  import: "default",
});
const files = await Promise.all(
  Object.entries(loaders).map(async ([path, load]) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    return {
      name,
      compression: COMPRESSIONS[name.split(".").at(-1) ?? ""] ?? "",
      bytes: bytesOf(await load()),
    };
  }),
);
const OTHERS = new Map([
  ["check-sha256.nar.xz", "unverifiable"],
  ["dictionary-96m.nar.xz", "unverifiable"],
  ["filter-x86.nar.xz", "unverifiable"],
  ["streams-misaligned.nar.xz", "false"],
  ["window-128m.nar.zst", "unverifiable"],
]);
/** Without a checksum, of all or of a part. */
const UNCHECKED = new Set(["check-none.nar.xz", "frames.nar.zst"]);
const good = files.filter(({ name }) => !OTHERS.has(name));

const facts = (compression: string, chunks: Iterable<Uint8Array>, maxNarSize = NAR_SIZE) =>
  narFacts(streamOf(chunks), { compression, maxNarSize });

test.each(files)("$name", async ({ name, compression, bytes }) => {
  const kind = OTHERS.get(name) ?? "facts";
  const outcome = await facts(compression, [bytes]);
  if (kind === "facts") expect(outcome).toMatchObject({ kind, narHash: NAR_HASH, narSize: NAR_SIZE });
  else expect(outcome.kind).toBe(kind);
  expect(looksLike(bytes.subarray(0, 24), compression)).toBe(true);
});

describe.each(good)("$name", ({ name, compression, bytes }) => {
  test("is the same in chunks of any size", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 20 }), async (cuts) => {
        expect(await facts(compression, cutAt(bytes, cuts))).toMatchObject({ narHash: NAR_HASH });
      }),
      { numRuns: 10 },
    );
  });

  test("is the same from a stream of the runtime", async () => {
    const body = new Response(bytes).body ?? streamOf([]);
    expect(await narFacts(body, { compression, maxNarSize: NAR_SIZE })).toMatchObject({ narHash: NAR_HASH });
  });

  test("is false when cut", async () => {
    const cut = fc.oneof(
      fc.nat(bytes.length - 1),
      fc.integer({ min: bytes.length - 20, max: bytes.length - 1 }),
    );
    await fc.assert(
      fc.asyncProperty(cut, async (length) => {
        expect((await facts(compression, [bytes.subarray(0, length)])).kind).toBe("false");
      }),
      { numRuns: 30 },
    );
  });

  test("is false with bytes after its end", async () => {
    // Zeros too: Nix takes them after xz streams only, in fours.
    for (const rest of [[1], [0], [0, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8], [...bytes.subarray(0, 5)]]) {
      const tail = Uint8Array.from(rest);
      expect((await facts(compression, [bytes, tail])).kind, String(rest)).toBe("false");
      expect((await facts(compression, [concat([bytes, tail])])).kind, String(rest)).toBe("false");
    }
  });

  test("a flipped bit never gives other facts, where the file has a checksum", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
        const flipped = bytes.slice();
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        const outcome = await facts(compression, [flipped]);
        if (outcome.kind === "facts" && !UNCHECKED.has(name)) expect(outcome.narHash).toBe(NAR_HASH);
      }),
      { numRuns: 40 },
    );
  });

  test("is false under the name of another compression", async () => {
    for (const other of ["none", "xz", "zstd", "gzip", "bzip2", "br"]) {
      if (other === compression) continue;
      expect((await facts(other, [bytes])).kind, other).toBe("false");
      if (other !== "br") expect(looksLike(bytes, other), other).toBe(false);
    }
  });

  test("is not unpacked beyond the limit", async () => {
    expect((await facts(compression, [bytes], NAR_SIZE - 1)).kind).toBe("false");
  });

  test("throws the error of the stream itself", async () => {
    const failure = new Error("the bucket failed");
    function* failing() {
      yield bytes.subarray(0, bytes.length >> 1);
      throw failure;
    }
    await expect(facts(compression, failing())).rejects.toBe(failure);
    const iterator = failing();
    const stream = new ReadableStream({
      type: "bytes",
      pull: (controller) => controller.enqueue(Uint8Array.from(iterator.next().value ?? [])),
    });
    await expect(narFacts(stream, { compression, maxNarSize: NAR_SIZE })).rejects.toBe(failure);
  });
});

test.each(["lz4", "lzip", "lzma", "lzop", "lrzip", "compress", "grzip", "brotli", "XZ"])(
  "%s has no decoder, and the stream is let go",
  async (compression) => {
    let isCancelled = false;
    const stream = new ReadableStream<Uint8Array>({
      cancel() {
        isCancelled = true;
      },
    });
    const outcome = await narFacts(stream, { compression, maxNarSize: NAR_SIZE });
    expect(outcome.kind).toBe("unverifiable");
    expect(isCancelled).toBe(true);
  },
);

test("zstd frames that are to be skipped, before and after the others", async () => {
  const { bytes } = named("frames.nar.zst");
  const skippable = Uint8Array.of(0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9);
  const empty = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0);
  const all = concat([skippable, empty, bytes, skippable, empty]);
  for (const cuts of [[], [1, 5, 12, 20, 22], Array.from({ length: 40 }, (_, at) => at)]) {
    expect(await facts("zstd", cutAt(all, cuts))).toMatchObject({ narHash: NAR_HASH, narSize: NAR_SIZE });
  }
  expect(looksLike(all, "zstd")).toBe(true);
});

test("xz takes zeros after the last stream in fours", async () => {
  const { bytes } = named("check-crc32.nar.xz");
  for (const zeros of [0, 1, 2, 3, 4, 5, 8]) {
    const outcome = await facts("xz", [bytes, new Uint8Array(zeros)]);
    expect(outcome.kind, String(zeros)).toBe(zeros % 4 === 0 ? "facts" : "false");
  }
});

test("xz files one after the other and at once, whatever came before, are each what they are alone", async () => {
  const xz = files.filter(({ compression }) => compression === "xz");
  const shown = ({ name, bytes }: (typeof files)[number]) =>
    facts("xz", cutAt(bytes, [1, 100, 5000])).then((outcome) => [name, outcome]);
  const alone = await Promise.all(xz.map(shown));
  for (const order of [xz, xz.toReversed()]) {
    const again: unknown[] = [];
    for (const file of order) again.push(await shown(file));
    expect(Object.fromEntries(again as [string, unknown][])).toEqual(Object.fromEntries(alone));
  }
});

function named(name: string): (typeof files)[number] {
  const file = files.find((each) => each.name === name);
  if (file === undefined) throw new Error(`no fixture ${name}`);
  return file;
}
