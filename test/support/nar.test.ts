/** The NARs of the tests are those of Nix. */
import { expect, test } from "vitest";
import { parseNarInfo } from "../../src/nix/narinfo.ts";
import { narInfos, narOf, VERSIONS } from "../nix/fixtures.ts";
import { NAR_FRAME_BYTES, narFrame, narOfFile } from "./nar.ts";

test.each(VERSIONS)("the NAR of a file is that of Nix %s", async (version) => {
  const real = narInfos.find(
    (one) => one.version === version && one.folder === "none" && one.text.includes("-demo+plus"),
  );
  if (real === undefined) throw new Error("no fixture");
  const { url } = parseNarInfo(real.text, "/nix/store");
  const contents = "/nix/store/4crvrnhdg1r8sqc1hblbviqj0iqdajdv-demo-app-1.0\n";
  expect(narOfFile(new TextEncoder().encode(contents))).toEqual(await narOf(real, url));
});

test.each([0, 1, 7, 8, 9])("the frame of %d bytes ends at a multiple of 8", (bytes) => {
  const { head, tail } = narFrame(bytes);
  expect(head.length + bytes + tail.length).toBe(NAR_FRAME_BYTES + Math.ceil(bytes / 8) * 8);
});
