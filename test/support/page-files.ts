/** Store paths whose files are shown on pages. */
import type { TestCache } from "./cache.ts";
import { store } from "./cache.ts";
import { NAR_FRAME_BYTES } from "./nar.ts";
import { compressed, push, testPath } from "./store-paths.ts";

/** A path that is one file with this text. */
export async function pushFile(
  cache: TestCache,
  { compression, withListing, text }: { compression: "none" | "zstd"; withListing: boolean; text: string },
): Promise<{ readonly hash: string }> {
  const plain = await testPath(`file-${compression}-${withListing}`, text);
  const path = compression === "none" ? plain : await compressed(plain);
  const { status } = await push(cache, path);
  if (status !== 201) throw new Error(`the push was answered with ${status}`);
  const { hash } = path.info.storePath;
  // Before the contents stands all of the frame but their padding and the closing parenthesis.
  const root = { type: "regular", size: text.length, narOffset: NAR_FRAME_BYTES - 16 };
  if (withListing) await store(`${hash}.ls`, JSON.stringify({ version: 1, root }));
  return { hash };
}
