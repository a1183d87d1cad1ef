/** NARs written by the format's description, without the code that reads them; and wrong ones. */

export type Node =
  | { type: "regular"; executable: boolean; contents: Uint8Array }
  | { type: "symlink"; target: Uint8Array }
  | { type: "directory"; entries: { name: Uint8Array; node: Node }[] };

const encoder = new TextEncoder();

/** A NAR string: its length as 64 bits little endian, itself, zeros up to a multiple of eight. */
export function narString(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  const out = new Uint8Array(8 + Math.ceil(bytes.length / 8) * 8);
  new DataView(out.buffer).setBigUint64(0, BigInt(bytes.length), true);
  out.set(bytes, 8);
  return out;
}

/** Strings one after another. */
export function strings(...values: (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  return concat(values.map(narString));
}

export function writeNar(root: Node): Uint8Array<ArrayBuffer> {
  return concat(["nix-archive-1", ...node(root)].map(narString));
}

function node(each: Node): (string | Uint8Array)[] {
  switch (each.type) {
    case "regular":
      return [
        "(",
        "type",
        "regular",
        ...(each.executable ? ["executable", ""] : []),
        "contents",
        each.contents,
        ")",
      ];
    case "symlink":
      return ["(", "type", "symlink", "target", each.target, ")"];
    case "directory":
      return [
        ...["(", "type", "directory"],
        ...each.entries.flatMap((entry) => [
          "entry",
          "(",
          "name",
          entry.name,
          "node",
          ...node(entry.node),
          ")",
        ]),
        ")",
      ];
  }
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

export interface Case {
  name: string;
  bytes: Uint8Array;
  /** What `nix-store --restore` does since Nix 2.34.7. */
  isAccepted: boolean;
  /** Nix takes it, and the rest after it. */
  hasRest?: true;
}

const file = (contents = "x") => ["(", "type", "regular", "contents", contents, ")"];
const nar = (...values: (string | Uint8Array)[]) => strings("nix-archive-1", ...values);
const entry = (name: string | Uint8Array, ...values: (string | Uint8Array)[]) => [
  ...["entry", "(", "name", name, "node"],
  ...(values.length === 0 ? file() : values),
  ")",
];
const directory = (...entries: (string | Uint8Array)[][]) => [
  "(",
  "type",
  "directory",
  ...entries.flat(),
  ")",
];
const nested = (depth: number) => {
  let inner: (string | Uint8Array)[] = directory();
  for (let level = 1; level < depth; level++) inner = directory(entry("d", ...inner));
  return nar(...inner);
};
/** The same NAR with some bytes changed, from the end if the place is negative. */
const changed = (bytes: Uint8Array, at: number, ...values: number[]) => {
  const copy = bytes.slice();
  copy.set(values, at < 0 ? copy.length + at : at);
  return copy;
};
const good = (name: string, bytes: Uint8Array): Case => ({ name, bytes, isAccepted: true });
const bad = (name: string, bytes: Uint8Array): Case => ({ name, bytes, isAccepted: false });

export const CASES: Case[] = [
  good("a file", nar(...file())),
  good("an empty file", nar(...file(""))),
  good("an executable", nar("(", "type", "regular", "executable", "", "contents", "x", ")")),
  good("a symlink", nar("(", "type", "symlink", "target", "x", ")")),
  good("a symlink of 4095 bytes", nar("(", "type", "symlink", "target", "x".repeat(4095), ")")),
  good("an empty directory", nar(...directory())),
  good("a directory", nar(...directory(entry("a"), entry("b")))),
  good("a name that begins another", nar(...directory(entry("a"), entry("a."), entry("aa")))),
  good("names in the order of bytes", nar(...directory(entry("B"), entry("a"), entry(Uint8Array.of(0xff))))),
  good("a name of 255 bytes", nar(...directory(entry("n".repeat(255))))),
  good("a name that is not UTF-8", nar(...directory(entry(Uint8Array.of(0x61, 0xff))))),
  good("a name like a tag", nar(...directory(entry(")"), entry("entry")))),
  good("a name of three dots", nar(...directory(entry("...")))),
  good("a name with a backslash", nar(...directory(entry("a\\b")))),
  good("64 levels", nested(64)),

  bad("nothing", new Uint8Array()),
  bad("another magic", strings("nix-archive-2", ...file())),
  bad("a longer magic", strings("nix-archive-1x", ...file())),
  bad("no magic", strings(...file())),
  bad("the magic alone", nar()),
  bad("no parenthesis", nar("type", "regular", "contents", "x", ")")),
  bad("no type", nar("(", "contents", "x", ")")),
  bad("an empty node", nar("(", ")")),
  bad("an unknown type", nar("(", "type", "fifo", ")")),
  bad("two types", nar("(", "type", "regular", "type", "regular", "contents", "x", ")")),
  bad("a file without contents", nar("(", "type", "regular", ")")),
  bad("a file with two contents", nar("(", "type", "regular", "contents", "x", "contents", "y", ")")),
  bad("a file with a target", nar("(", "type", "regular", "target", "x", ")")),
  bad("a marker with a value", nar("(", "type", "regular", "executable", "1", "contents", "x", ")")),
  bad("a marker after the contents", nar("(", "type", "regular", "contents", "x", "executable", "", ")")),
  bad("two markers", nar("(", "type", "regular", "executable", "", "executable", "", "contents", "x", ")")),
  bad("a file that is not closed", nar("(", "type", "regular", "contents", "x")),
  bad("a symlink without target", nar("(", "type", "symlink", ")")),
  bad("a symlink to nothing", nar("(", "type", "symlink", "target", "", ")")),
  bad("a symlink with NUL", nar("(", "type", "symlink", "target", "a\0b", ")")),
  bad("a symlink of 4096 bytes", nar("(", "type", "symlink", "target", "x".repeat(4096), ")")),
  bad("a symlink with two targets", nar("(", "type", "symlink", "target", "x", "target", "y", ")")),
  bad("a directory with contents", nar("(", "type", "directory", "contents", "x", ")")),
  bad("names that descend", nar(...directory(entry("b"), entry("a")))),
  bad("a name twice", nar(...directory(entry("a"), entry("a")))),
  bad("names in another order of bytes", nar(...directory(entry("a"), entry("B")))),
  ...["", ".", "..", "a/b", "/", "a\0", "\0", "n".repeat(256)].map((name) =>
    bad(`the name ${JSON.stringify(name).slice(0, 20)}`, nar(...directory(entry(name)))),
  ),
  bad("an entry without name", nar(...directory(["entry", "(", "node", ...file(), ")"]))),
  bad("an entry without node", nar(...directory(["entry", "(", "name", "a", ")"]))),
  bad(
    "an entry with two nodes",
    nar(...directory(["entry", "(", "name", "a", "node", ...file(), "node", ...file(), ")"])),
  ),
  bad("an entry with its name last", nar(...directory(["entry", "(", "node", ...file(), "name", "a", ")"]))),
  bad("an entry that is not closed", nar(...directory(["entry", "(", "name", "a", "node", ...file()]))),
  bad("padding of a string", changed(nar(...file()), 8 + 13, 1)),
  bad("padding of the contents", changed(nar(...file()), -17, 1)),
  bad("padding of the last string", changed(nar(...file()), -1, 1)),
  bad("a string of an impossible length", changed(nar(...file()), 24 + 7, 0x80)),
  bad(
    "contents of an impossible length",
    changed(nar(...file()), -32, 255, 255, 255, 255, 255, 255, 255, 255),
  ),
  bad("a string longer than the file", changed(nar(...file()), 24, 8)),
  {
    name: "a NAR and a byte",
    bytes: concat([nar(...file()), Uint8Array.of(0)]),
    isAccepted: true,
    hasRest: true,
  },
  { name: "two NARs", bytes: concat([nar(...file()), nar(...file())]), isAccepted: true, hasRest: true },
];

/** Nix since 2.34.7 refuses it; before it had no limit. */
export const TOO_DEEP: Case = bad("65 levels", nested(65));
