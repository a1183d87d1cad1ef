// The table of object kinds: what an entry may not be, because listings, reindexes and cache names rely on it.
import { expect, it } from "vitest";
import { FOLDERS, KINDS, PIN_FOLDER, STAGING_FOLDER } from "../../src/bucket/kinds.ts";
import { isReserved } from "../../src/config/caches.ts";

it.each(KINDS)("a $name is in a folder of one level, or on the top level", ({ name, folder, ownership }) => {
  expect(folder, `the folder of ${name}`).toMatch(/^([a-z0-9][a-z0-9-]*\/)?$/);
  if (ownership.by === "content") expect(folder, `${name} needs a folder`).not.toBe("");
});

it("each folder is of one kind, and no cache has its name", () => {
  const folders = [...FOLDERS, PIN_FOLDER, STAGING_FOLDER];
  expect(new Set(folders).size).toBe(folders.length);
  expect(folders.filter((folder) => !isReserved(folder.slice(0, -1)))).toEqual([]);
});
