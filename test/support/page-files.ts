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

/**
 * A path of files by their names from its root, which a listing tells; a text that begins with `->` is a symlink. Its NAR
 * is one file that has the contents of all, one after the other.
 */
export async function pushTree(
  cache: TestCache,
  files: Readonly<Record<string, string>>,
  { compression = "zstd" }: { readonly compression?: "none" | "zstd" } = {},
): Promise<{ readonly hash: string }> {
  type Entry = Record<string, unknown>;
  const root: { type: string; entries: Entry } = { type: "directory", entries: {} };
  let all = "";
  for (const [path, text] of Object.entries(files)) {
    const names = path.split("/");
    let entries = root.entries;
    for (const name of names.slice(0, -1)) {
      const directory = (entries[name] ?? { type: "directory", entries: {} }) as { entries: Entry };
      entries[name] = directory;
      entries = directory.entries;
    }
    const isLink = text.startsWith("->");
    entries[names.at(-1) ?? ""] = isLink
      ? { type: "symlink", target: text.slice(2) }
      : { type: "regular", size: text.length, narOffset: NAR_FRAME_BYTES - 16 + all.length };
    if (!isLink) all += text;
  }
  const { hash } = await pushFile(cache, { compression, withListing: false, text: all });
  await store(`${hash}.ls`, JSON.stringify({ version: 1, root }));
  return { hash };
}
