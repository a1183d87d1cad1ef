/** Finding files in the tree of a store path, through its symlinks and not out of the store. */
import { describe, expect, test } from "vitest";
import { HttpError } from "../../src/http/errors.ts";
import { ownFile } from "../../src/page/inline.ts";
import { find, nodeOf, type Tree } from "../../src/page/tree.ts";
import { testPath } from "../support/store-paths.ts";

const { info, narKey } = await testPath("demo-1.0");
const { baseName } = info.storePath;
const OTHER = `${"0".repeat(32)}-other`;

const directory = (entries: Readonly<Record<string, unknown>>) => ({ type: "directory", entries });
const file = (size: number) => ({ type: "regular", size, narOffset: 96 });
const link = (target: string) => ({ type: "symlink", target });

const root = nodeOf(
  directory({
    bin: directory({ demo: { ...file(1), executable: true }, alias: link("demo"), up: link("../share/doc") }),
    share: directory({ doc: directory({ README: file(2), other: file(3) }) }),
    lib: link(`/nix/store/${OTHER}/lib`),
    own: link(`/nix/store/${baseName}/share`),
    sibling: link(`../${OTHER}/x`),
    circle: link("circle"),
    etc: link("/etc/passwd"),
    out: link("../../../etc/passwd"),
    store: link("/nix/store"),
    ["__proto__"]: file(4),
  }),
);
const tree: Tree = { info, narKey, root };

describe("finds", () => {
  test.each<[string, object]>([
    ["", { kind: "here", node: { type: "directory" }, at: [] }],
    [
      "bin/demo",
      { kind: "here", node: { type: "regular", size: 1, isExecutable: true }, at: ["bin", "demo"] },
    ],
    ["bin/alias", { kind: "here", node: { size: 1 }, at: ["bin", "demo"] }],
    ["bin/up/README", { kind: "here", node: { size: 2 }, at: ["share", "doc", "README"] }],
    ["own/doc/README", { kind: "here", node: { size: 2 }, at: ["share", "doc", "README"] }],
    ["lib/libdemo.so", { kind: "elsewhere", baseName: OTHER, at: ["lib", "libdemo.so"] }],
    ["sibling", { kind: "elsewhere", baseName: OTHER, at: ["x"] }],
  ])("%s", (path, expected) => {
    expect(find(tree, path.split("/").filter(Boolean))).toMatchObject(expected);
  });

  test.each([`${OTHER}/x`, `./${OTHER}/x`, `/nix/store/${OTHER}/x`])(
    "what a path leads to that is a symlink to %s",
    (target) => {
      const path = { ...tree, root: nodeOf(link(target)) };
      expect(find(path, ["y"])).toEqual({ kind: "elsewhere", baseName: OTHER, at: ["x", "y"] });
    },
  );

  test("a symlink itself, where it is asked for", () => {
    expect(find(tree, ["bin", "alias"], false)).toMatchObject({ node: { type: "symlink", target: "demo" } });
  });
});

test.each([
  "missing",
  "bin/missing",
  "bin/demo/x",
  "circle",
  "circle/x",
  "etc",
  "out",
  "store",
  "toString",
  "constructor",
  "share/doc/hasOwnProperty",
])("does not find %s", (path) => {
  expect(() => find(tree, path.split("/"))).toThrow(HttpError);
});

test.each<[unknown]>([
  [undefined],
  [null],
  ["regular"],
  [[]],
  [{ type: "device" }],
  [{ type: "regular", size: -1, narOffset: 0 }],
  [{ type: "regular", size: 1 }],
  [{ type: "regular", size: 2 ** 60, narOffset: 0 }],
  [{ type: "symlink" }],
  [{ type: "directory", entries: [] }],
])("%j is no node", (value) => {
  expect(() => nodeOf(value)).toThrow(HttpError);
});

test.each<[string, readonly string[] | undefined]>([
  ["style.css", ["doc", "style.css"]],
  ["./a/../style.css?v=1#x", ["doc", "style.css"]],
  ["../style.css", ["style.css"]],
  ["a%20b.png", ["doc", "a b.png"]],
  ["../../style.css", undefined],
  ["/style.css", undefined],
  ["//example.org/style.css", undefined],
  ["https://example.org/style.css", undefined],
  ["data:text/css,x", undefined],
  ["\\\\example.org\\x", undefined],
  ["%zz", undefined],
  ["", undefined],
  ["#x", undefined],
])("in doc/index.html %j is %j", (reference, expected) => {
  expect(ownFile(["doc", "index.html"], reference)).toEqual(expected);
});
