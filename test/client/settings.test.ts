// Where URL and token come from, and which of several wins.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { doubtAbout, passwordIn } from "../../src/client/settings/netrc.ts";
import { readSettings } from "../../src/client/settings/settings.ts";
import { parseToml } from "../../src/client/settings/toml.ts";

const scratch = mkdtempSync(join(tmpdir(), "nix-cache-settings-"));
afterAll(() => rmSync(scratch, { recursive: true }));

let homes = 0;
function home(files: Record<string, string>, mode = 0o600) {
  homes += 1;
  const dir = join(scratch, String(homes));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text, { mode });
  }
  return { HOME: dir, NIX_CONF_DIR: join(dir, "etc") };
}

const none = { url: undefined, "token-file": undefined, "netrc-file": undefined };
const config = ".config/nix-cache/config.toml";
const netrc = "machine cache.example.org login x password of-netrc\n";

test.each([
  ["a flag first", { "token-file": "token" }, { NIX_CACHE_TOKEN: "of-env" }, "of-file"],
  ["then the environment", {}, { NIX_CACHE_TOKEN: "of-env" }, "of-env"],
  ["or the file that it names", {}, { NIX_CACHE_TOKEN_FILE: "token" }, "of-file"],
  ["then netrc", {}, {}, "of-netrc"],
])("%s", (_, flags, env, expected) => {
  const files = home({ ".netrc": netrc, token: "of-file\n", [config]: 'token = "of-config"\n' });
  const placed = (names: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(names).map(([name, value]) => [
        name,
        value === "token" ? join(files.HOME, value) : value,
      ]),
    );
  const settings = readSettings(
    { ...none, url: "https://cache.example.org/", ...placed(flags) },
    { ...files, ...placed(env) },
  );
  expect(settings).toMatchObject({ url: "https://cache.example.org", token: expected });
});

test("the configuration file last, for URL and token", () => {
  const files = home({
    [config]: "# mine\nurl = 'https://cache.example.org/team'\ntoken = \"of-config\" # secret\n",
  });
  expect(readSettings(none, files)).toMatchObject({
    url: "https://cache.example.org/team",
    token: "of-config",
  });
});

test("a configuration file with a token that others can read is refused", () => {
  const files = home({ [config]: 'url = "https://cache.example.org"\ntoken = "t"\n' }, 0o644);
  expect(() => readSettings(none, files)).toThrow(/chmod 600/);
});

test.each([
  ["no cache", none, "no cache is named"],
  ["no URL", { ...none, url: "cache.example.org" }, "is no URL"],
  [
    "a token in the URL",
    { ...none, url: "https://x:secret@cache.example.org" },
    "must not contain the token",
  ],
  ["the same in a URL that is none besides", { ...none, url: "https://x:secret@h/?q" }, "must not contain"],
  ["the same in a text that is no URL", { ...none, url: "https://x:secret@h:port" }, "must not contain"],
  [
    "a token file that is not there",
    { ...none, url: "https://a.b", "token-file": "/absent" },
    "cannot read /absent",
  ],
])("refused: %s", (_, given, line) => {
  const attempt = () => readSettings(given, home({}));
  expect(attempt).toThrow(line);
  expect(attempt).not.toThrow("secret");
});

test.each([
  ["one line", "machine a login l password p", "p"],
  [
    "several lines, comments and quotes",
    '# machine a password wrong\nmachine a\n\tlogin l\n\tpassword "p"\n',
    "p",
  ],
  ["a password that begins with #", "machine a login l password #p\n", "#p"],
  ["a comment's line, indented", "machine a\n  # password wrong\n  password p\n", "p"],
  ["another machine before", "machine b password q machine a password p", "p"],
  ["default", "machine b password q\ndefault login l password p", "p"],
  [
    "a macro in between",
    "machine b password q\nmacdef init\nmachine a password wrong\n\nmachine a password p",
    "p",
  ],
  ["none", "machine b password q", undefined],
  ["a variable that was not set", "machine a login l password \nmachine b login l password q\n", ""],
  ["the same at the end", "machine a login l password", ""],
  ["the same before default", "machine a password\ndefault password d", ""],
  ["the same of another machine", "machine b login l password\nmachine a login l password p\n", "p"],
  ["a login that was not set", "machine b login \nmachine a login l password p\n", "p"],
  ["a password on the next line", "machine a\nlogin l password\np\n", "p"],
  ["a password that is a word of netrc", "machine a login l password machine\n", "machine"],
  ["several lines", "machine a password p\nmachine a password q\n", "p"],
  ["a machine of no password", "machine a login l\nmachine a login m password p\n", "p"],
])("netrc: %s", (_, text, password) => {
  expect(passwordIn(text, "a")).toBe(password);
});

test.each([
  ["one", "machine a password p\nmachine b password q\ndefault password d\n", undefined],
  ["the same twice", "machine a password p\nmachine a password p\n", undefined],
  [
    "two",
    "machine a password p\nmachine b password q\nmachine A password q\n",
    "2 lines for a; the first counts",
  ],
  ["an empty one", "machine a login l password \n", "the line for a in FILE has no password"],
  ["an empty default", "default login l password \n", "the line for a in FILE has no password"],
])("netrc: passwords that are doubtful: %s", (_, text, doubt) => {
  const found = doubtAbout(text, "a", "FILE");
  if (doubt === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(doubt);
});

test("an empty password counts as no token", () => {
  const files = home({ ".netrc": "machine a.b login nix password \n" });
  expect(readSettings({ ...none, url: "https://a.b" }, files)).toMatchObject({
    token: undefined,
    tokenDoubt: expect.stringContaining("has no password"),
  });
});

test("TOML: tables, texts, numbers, and a line that is none", () => {
  expect([...parseToml('a = "x\\"y"\nb = 3\n[t]\nc = true\n')]).toEqual([
    ["a", 'x"y'],
    ["b", 3],
    ["t.c", true],
  ]);
  expect(() => parseToml("a = 1\nsecret\n")).toThrow("line 2");
  expect(() => parseToml("a = 1\na = 2\n")).toThrow("again");
});
