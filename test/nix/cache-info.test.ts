/** nix-cache-info: as Nix reads and writes it. */
import { expect, test } from "vitest";
import { formatCacheInfo, parseCacheInfo } from "../../src/nix/cache-info.ts";
import { FormatError } from "../../src/nix/format-error.ts";
import { cacheInfos } from "./fixtures.ts";

test("is written whole", () => {
  const info = { storeDir: "/nix/store", wantMassQuery: true, priority: 41 };
  expect(formatCacheInfo(info)).toBe("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 41\n");
  expect(parseCacheInfo(formatCacheInfo(info))).toEqual(info);
});

test("what Nix writes into a cache is the store directory alone", () => {
  expect(cacheInfos.length).toBeGreaterThan(0);
  for (const text of cacheInfos) expect(parseCacheInfo(text)).toEqual({ storeDir: "/nix/store" });
});

test.each([
  ["", {}],
  ["no colon\nUnknown: 1\n\n", {}],
  ["StoreDir:/nix/store", { storeDir: "/nix/store" }],
  ["StoreDir:  /nix/store \r\nPriority: -1\r\n", { storeDir: "/nix/store", priority: -1 }],
  ["WantMassQuery: 0\n", { wantMassQuery: false }],
  ["WantMassQuery: yes\n", { wantMassQuery: false }],
  ["Priority: 1\nPriority: 2\n", { priority: 2 }],
])("reads %j", (text, info) => {
  expect(parseCacheInfo(text)).toEqual(info);
});

test.each(["", "x", "1.5", "1e3", "0x1", "99999999999999999999"])("refuses Priority %j", (priority) => {
  expect(() => parseCacheInfo(`Priority: ${priority}\n`)).toThrow(FormatError);
});
