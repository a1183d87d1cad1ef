// The order of a push, and which failures end it.
import { expect, test } from "vitest";
import { Failure } from "../../src/client/ground/failure.ts";
import { pushAll } from "../../src/client/push/schedule.ts";
import type { PathInfo } from "../../src/client/store/path-info.ts";

const COUNT = 50;
const info = (index: number): PathInfo => ({
  path: `/nix/store/${index}`,
  narHash: { algorithm: "sha256", bytes: new Uint8Array(32) },
  narSize: 1,
  references: [],
  signatures: [],
});
const infos = Array.from({ length: COUNT }, (_, index) => info(index));

test.each([
  ["a token that is not taken", 401, "upload", true],
  ["a token that may not push", 403, "upload", true],
  ["signatures that the cache does not trust", 403, "publish", false],
  ["a path that the cache does not take", 422, "upload", false],
])("%s (%i at %s): the rest is not tried: %s", async (_, status, stage, isFatal) => {
  let uploads = 0;
  const refuse = (at: string) => {
    if (at === stage) throw new Failure("refused", "no", status);
  };
  const { failed } = await pushAll(infos, 2, {
    async upload() {
      uploads += 1;
      await Promise.resolve();
      refuse("upload");
    },
    async publish() {
      refuse("publish");
    },
  });
  expect(failed).toHaveLength(COUNT);
  if (isFatal) expect(uploads).toBeLessThan(5);
  else expect(uploads).toBe(COUNT);
});

test("a cycle, as a source may claim one, ends", async () => {
  const names = ["/nix/store/a", "/nix/store/b"];
  const cycle = names.map((path, index) => ({ ...info(index), path, references: names }));
  const { pushed } = await pushAll(cycle, 2, {
    upload: async () => undefined,
    publish: async () => undefined,
  });
  expect(pushed).toEqual(names);
});
