// The table of object kinds: what an entry may not be, because listings, reindexes and cache names rely on it.
import { expect, it } from "vitest";
import { FOLDERS, type Kind, kind, PIN_FOLDER, STAGING_FOLDER } from "../../src/bucket/kinds.ts";
import { isReserved } from "../../src/config/caches.ts";

const ENTRY = {
  ...{ name: "example", names: "x", contentType: "", cacheControl: "", maxBytes: 1 },
  ownership: { by: "content", of: "path", owner: () => undefined },
} as const;

it.each(["deep/er/", "no-slash", "/", "Upper/", "a.b/"])("no kind is in the folder '%s'", (folder) => {
  expect(() => kind({ ...ENTRY, folder })).toThrow(/kind example: the folder .* must be one level/);
});

it("objects whose content names their owner have a folder", () => {
  expect(() => kind({ ...ENTRY, folder: "" })).toThrow("kind example: objects whose content names");
  const ownership: Kind["ownership"] = { by: "key", of: "path", ending: ".x" };
  expect(kind({ ...ENTRY, folder: "", ownership }).pattern).toEqual(/^x$/);
  expect(kind({ ...ENTRY, folder: "x/" }).pattern).toEqual(/^x\/x$/);
});

it("each folder is of one kind, and no cache has its name", () => {
  const folders = [...FOLDERS, PIN_FOLDER, STAGING_FOLDER];
  expect(new Set(folders).size).toBe(folders.length);
  expect(folders.filter((folder) => !isReserved(folder.slice(0, -1)))).toEqual([]);
});
