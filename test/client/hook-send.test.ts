/** `hook send` and the hook script: they note the paths, and no build fails or waits because of them. */
// @module-tag slow
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { note, notesIn, pathsIn } from "../../src/client/hook/notes.ts";
import { hookScript, quoted } from "../../src/client/hook/script.ts";

const CLIENT = [process.execPath, resolve(import.meta.dirname, "../../src/client/main.ts")];
const A = `/nix/store/${"a".repeat(32)}-a`;
const B = `/nix/store/${"b".repeat(32)}-b-1.0+x?=`;

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nix-cache-hook-"));
});

afterEach(() => rmSync(dir, { recursive: true }));

function noted(): string[] {
  return notesIn(dir).flatMap(({ paths }) => paths);
}

describe("OUT_PATHS", () => {
  test.each([
    [undefined, []],
    ["", []],
    ["  \n", []],
    [`${A} ${B}`, [A, B]],
    [`${A}\n`, [A]],
    [`$(reboot) ../etc/passwd /etc/passwd ${A}/bin /nix/store/short-a`, []],
    [`/nix/store/${"e".repeat(32)}-no-nix32`, []],
  ])("%j has %j", (text, paths) => {
    expect(pathsIn(text)).toEqual(paths);
  });
});

describe("the script", () => {
  function run(variables: Record<string, string>, options: Partial<Parameters<typeof hookScript>[0]> = {}) {
    const script = join(dir, "hook");
    writeFileSync(script, hookScript({ client: CLIENT, dir, ...options }));
    chmodSync(script, 0o755);
    const { status, stdout, stderr } = spawnSync(script, { env: variables, encoding: "utf8" });
    return { status, stdout, stderr };
  }

  test("notes what was built, and says nothing", () => {
    expect(run({ OUT_PATHS: `${A} ${B}`, DRV_PATH: "/nix/store/x.drv" })).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
    expect(noted()).toEqual([A, B]);
  });

  test("with an empty OUT_PATHS, as Nix 2.8 has it, takes the outputs from the derivation", () => {
    const derivation = join(dir, "x.drv");
    writeFileSync(
      derivation,
      `Derive([("dev","${A}","",""),("out","${B}","",""),("ca","","r:sha256","")],[("/nix/store/x.drv",["out"])],[])`,
    );
    expect(run({ OUT_PATHS: "", DRV_PATH: derivation })).toMatchObject({ status: 0, stderr: "" });
    expect(noted()).toEqual([A, B]);
  });

  test.each([{}, { OUT_PATHS: "" }, { OUT_PATHS: " " }])(
    "with the environment %j does nothing",
    (variables) => {
      expect(run(variables)).toEqual({ status: 0, stdout: "", stderr: "" });
      expect(noted()).toEqual([]);
    },
  );

  test("without the directory it warns, and the build goes on", () => {
    const { status, stderr } = run({ OUT_PATHS: A }, { dir: join(dir, "missing") });
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/^warning: .*ENOENT/) });
  });

  test("without the client the build goes on", () => {
    expect(run({ OUT_PATHS: A }, { client: [join(dir, "missing")] }).status).toBe(0);
  });

  test("a socket without a daemon does not matter, and one that never accepts does not hold it up", async () => {
    expect(run({ OUT_PATHS: A }, { socket: join(dir, "socket") }).status).toBe(0);
    const server = createServer();
    await new Promise<void>((done) => server.listen(join(dir, "socket"), done));
    const started = Date.now();
    expect(run({ OUT_PATHS: B }, { socket: join(dir, "socket") }).status).toBe(0);
    expect(Date.now() - started).toBeLessThan(3000);
    server.close();
    expect(noted().sort()).toEqual([A, B]);
  });

  test("runs another hook before, whose failure is the build's as without this one", () => {
    const before = join(dir, "an other");
    writeFileSync(before, '#!/bin/sh\necho "before $OUT_PATHS"; exit "$CODE"\n');
    chmodSync(before, 0o755);
    expect(run({ OUT_PATHS: A, CODE: "0" }, { before })).toMatchObject({
      status: 0,
      stdout: `before ${A}\n`,
    });
    expect(run({ OUT_PATHS: A, CODE: "7" }, { before })).toMatchObject({ status: 7 });
  });
});

test("a note replaces no file and follows no link, because root writes it into another user's directory", () => {
  const victim = join(dir, "victim");
  writeFileSync(victim, "precious");
  symlinkSync(victim, join(dir, "note-00000000000000000000000000000000"));
  note(dir, [A]);
  expect(readdirSync(dir).filter((name) => name.startsWith(".unfinished"))).toEqual([]);
  expect(noted()).toContain(A);
});

test.each(["a", "/a/b-c", "a b", "it's", "$(x)", "", "a\nb"])("%j is quoted for a shell", (word) => {
  const { stdout } = spawnSync("/bin/sh", ["-c", `printf %s ${quoted(word)}`], { encoding: "utf8" });
  expect(stdout).toBe(word);
});
