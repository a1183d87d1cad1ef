/** The variables of a local cache: made at the first start, and where they come from afterwards. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readArguments } from "../../src/cli/arguments.ts";
import { localKeyName, makeDevVars, readVars } from "../../src/cli/dev-vars.ts";
import { parseSecretKey } from "../../src/nix/keys.ts";

const NO_ARGUMENTS = readArguments([]);
let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "nix-cache-dev-vars-"));
});
afterEach(() => rm(directory, { recursive: true }));

const write = (name: string, text: string) => writeFile(join(directory, name), text);

describe("the first start", () => {
  test("makes a random token and a key that can sign, for its owner only", async () => {
    expect(await makeDevVars(directory)).toBe(true);

    const { PUSH_TOKEN = "", SIGNING_KEY = "" } = await readVars(directory, NO_ARGUMENTS);
    expect(PUSH_TOKEN).toMatch(/^[0-9A-Za-z_-]{43}$/);
    expect((await parseSecretKey(SIGNING_KEY)).publicText).toMatch(/^nix-cache-[^:]+-1:[0-9A-Za-z+/]{43}=$/);
    expect((await stat(join(directory, ".dev.vars"))).mode & 0o777).toBe(0o600);
  });

  test("makes others in another place", async () => {
    await makeDevVars(directory);
    const first = await readVars(directory, NO_ARGUMENTS);
    await rm(join(directory, ".dev.vars"));
    await makeDevVars(directory);
    const second = await readVars(directory, NO_ARGUMENTS);
    expect(second.PUSH_TOKEN).not.toBe(first.PUSH_TOKEN);
    expect(second.SIGNING_KEY).not.toBe(first.SIGNING_KEY);
  });

  test("happens once when several start at the same time, and leaves nothing else behind", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => makeDevVars(directory)));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await readdir(directory)).toEqual([".dev.vars", ".wrangler"]);
    expect(await readdir(join(directory, ".wrangler"))).toEqual([]);
  });
});

describe("a .dev.vars that is there", () => {
  test.each(["PUSH_TOKEN=mine\n", "PULL_TOKEN=x", "# nothing yet\n", ""])(
    "stays as it is: %j",
    async (text) => {
      await write(".dev.vars", text);
      expect(await makeDevVars(directory)).toBe(false);
      expect(await readFile(join(directory, ".dev.vars"), "utf8")).toBe(text);
    },
  );
});

describe("the variables that the Worker will have", () => {
  test("come from .dev.vars", async () => {
    await write(".dev.vars", `# a comment\nPUSH_TOKEN="with spaces"\nSIGNING_KEY=a-1:b==\n`);
    expect(await readVars(directory, NO_ARGUMENTS)).toEqual({
      PUSH_TOKEN: "with spaces",
      SIGNING_KEY: "a-1:b==",
    });
  });

  test("are none without a file", async () => {
    expect(await readVars(directory, NO_ARGUMENTS)).toEqual({});
  });

  test("come from the environment's own file if it has one", async () => {
    await write(".dev.vars", "PUSH_TOKEN=common");
    await write(".dev.vars.test", "PUSH_TOKEN=of-test");
    expect(await readVars(directory, readArguments(["--env", "test"]))).toEqual({ PUSH_TOKEN: "of-test" });
    expect(await readVars(directory, readArguments(["--env", "other"]))).toEqual({ PUSH_TOKEN: "common" });
  });

  test("come from the files that are named instead, the last one first", async () => {
    await write(".dev.vars", "PULL_TOKEN=ignored");
    await write("a", "PUSH_TOKEN=a\nPRIORITY=30");
    await write("b", "PUSH_TOKEN=b");
    const given = readArguments(["--env-file", "a", "--env-file", join(directory, "b")]);
    expect(await readVars(directory, given)).toEqual({ PUSH_TOKEN: "b", PRIORITY: "30" });
  });

  test("come from the command line before all", async () => {
    await write(".dev.vars", "PUSH_TOKEN=file");
    expect(await readVars(directory, readArguments(["--var", "PUSH_TOKEN:line"]))).toEqual({
      PUSH_TOKEN: "line",
    });
  });
});

test.each([
  { host: "laptop", name: "nix-cache-laptop-7f3a9c-1" },
  { host: "ci.example.org", name: "nix-cache-ci.example.org-7f3a9c-1" },
  { host: "Ann's Möbel:box", name: "nix-cache-Ann-s-M-bel-box-7f3a9c-1" },
  { host: "", name: "nix-cache-local-7f3a9c-1" },
  { host: "…", name: "nix-cache-local-7f3a9c-1" },
])("the local key of the host $host is $name", ({ host, name }) => {
  expect(localKeyName(host, "7f3a9c")).toBe(name);
});
