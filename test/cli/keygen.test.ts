/** `npm run keygen`: a pair of keys that Nix takes. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { parseSecretKey } from "../../src/nix/keys.ts";

const keygen = (...args: string[]) =>
  spawnSync(process.execPath, ["src/cli/keygen.ts", ...args], { encoding: "utf8" });

test("the secret key alone is on stdout, the public one beside it", async () => {
  const { status, stdout, stderr } = keygen("cache.example.org-1");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^cache\.example\.org-1:[0-9A-Za-z+/]{86}==\n$/);
  expect(stderr).toBe(`public key: ${(await parseSecretKey(stdout)).publicText}\n`);
});

test.each([[[]], [["--help"]], [["one", "two"]]])("%j is not how to call it", (args) => {
  const { status, stdout, stderr } = keygen(...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(/^usage: /);
});

test("a name that Nix would not take is refused", () => {
  const { status, stdout, stderr } = keygen("with:colon");
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/^"with:colon" cannot name a key.*\n$/);
});
