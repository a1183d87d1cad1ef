// The listing that a push sends along: as large as the cache takes, which is more than the Worker itself would make.
import { expect, test } from "vitest";
import { listingReader } from "../../src/client/push/listing.ts";

/** A NAR of a directory with so many empty files, whose names have 200 characters. */
function* narOf(files: number): Generator<Buffer> {
  yield words("nix-archive-1", "(", "type", "directory");
  for (let file = 0; file < files; file++) {
    const name = String(file).padStart(200, "0");
    yield words("entry", "(", "name", name, "node", "(", "type", "regular", "contents", "", ")", ")");
  }
  yield words(")");
}

function words(...texts: string[]): Buffer {
  return Buffer.concat(
    texts.map((text) => {
      const word = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8);
      word.writeUInt32LE(text.length);
      word.write(text, 8);
      return word;
    }),
  );
}

function listingOf(files: number): string | undefined {
  const reader = listingReader();
  for (const chunk of narOf(files)) reader.push(chunk);
  return reader.end();
}

test("of 20 MB", () => {
  const listing = listingOf(80_000);
  expect(listing?.length).toBeGreaterThan(20_000_000);
  expect(Object.keys(JSON.parse(listing ?? "").root.entries)).toHaveLength(80_000);
});
