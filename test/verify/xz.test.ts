/** The WebAssembly module of xz is that of the npm package, byte for byte. */
import { expect, test } from "vitest";
import source from "xz-decompress/dist/package/xz-decompress.js?raw";
import ours from "../../src/verify/xz.wasm?url&inline";
import { bytesOf } from "./support.ts";

test("is the module of xz-decompress", () => {
  const theirs = /data:application\/wasm;base64,[A-Za-z0-9+/=]+/.exec(source)?.[0] ?? "";
  expect(bytesOf(theirs).length).toBeGreaterThan(10_000);
  expect(bytesOf(ours).toBase64()).toBe(bytesOf(theirs).toBase64());
});
