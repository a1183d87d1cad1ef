/** Files and streams for the tests of NARs. */

const narFiles = import.meta.glob<string>("../fixtures/nix-*/*/nar/*", {
  query: "?url&inline",
  import: "default",
});
const listings = import.meta.glob<string>("../fixtures/nix-*/*/*.ls", {
  query: "?raw",
  import: "default",
  eager: true,
});

/** A NAR file of the fixtures, by its path among them. */
export async function narFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const load = narFiles[`../fixtures/${path}`];
  if (load === undefined) throw new Error(`no fixture ${path}`);
  return bytesOf(await load());
}

/** The bytes of a `data:` URL. */
export function bytesOf(url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(url.slice(url.indexOf(",") + 1));
}

export function listingText(path: string): string | undefined {
  return listings[`../fixtures/${path}`];
}

export function streamOf(chunks: Iterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.iterator]();
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const { value, done } = iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

/** The same bytes in pieces, which begin and end at these positions. */
export function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [...cuts.toSorted((a, b) => a - b), bytes.length];
  return ends.map((end, index) => bytes.slice(ends[index - 1] ?? 0, end));
}
