// What `use` and `unuse` do to nix.conf and netrc: their own words and nothing else.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeText } from "../../src/client/configure/files.ts";
import { withMachine, withoutOwnMachine } from "../../src/client/configure/netrc-file.ts";
import { addWords, removeWords } from "../../src/client/configure/nix-conf.ts";
import { moduleName, nixosModule } from "../../src/client/configure/nixos-module.ts";
import { unuseChanges, useChanges } from "../../src/client/configure/use.ts";
import { passwordIn } from "../../src/client/settings/netrc.ts";
import type { CacheDescription } from "../../src/contract/cache.ts";

const url = "https://c.example";
const added = { setting: "extra-substituters", words: [url] };

test.each([
  ["nothing there", "", `extra-substituters = ${url}\n`],
  ["other settings", "# mine\ncores = 4\n", `# mine\ncores = 4\nextra-substituters = ${url}\n`],
  ["no newline at the end", "cores = 4", `cores = 4\nextra-substituters = ${url}`],
  ["lines of Windows", "cores = 4\r\n", `cores = 4\r\nextra-substituters = ${url}\r\n`],
  [
    "an old name that begins the list anew",
    "extra-substituters = https://a\nbinary-caches = https://b\n",
    `extra-substituters = https://a\nbinary-caches = https://b\nextra-substituters = ${url}\n`,
  ],
  [
    "a file that is included, which may begin the list anew",
    "extra-substituters = https://a\n!include other.conf\n",
    `extra-substituters = https://a\n!include other.conf\nextra-substituters = ${url}\n`,
  ],
  [
    "a line of others",
    "extra-substituters = https://a # first\ncores = 4\n",
    `extra-substituters = https://a ${url} # first\ncores = 4\n`,
  ],
  [
    "a later line that begins the list anew",
    "extra-substituters = https://a\nsubstituters = https://b\n",
    `extra-substituters = https://a\nsubstituters = https://b\nextra-substituters = ${url}\n`,
  ],
  ["there already", `extra-substituters = ${url}\n`, `extra-substituters = ${url}\n`],
  ["there already, without extra-", `substituters = https://a ${url}\n`, `substituters = https://a ${url}\n`],
])("added: %s", (_, before, after) => {
  expect(addWords(before, added)).toBe(after);
  expect(addWords(after, added)).toBe(after);
});

test.each([
  ["the only word: the line goes", `a = 1\nextra-substituters = ${url}\n`, "a = 1\n"],
  ["one of several", `extra-substituters = https://a ${url} # x\n`, "extra-substituters = https://a # x\n"],
  ["of a plain list, which stays", `substituters = ${url}\n`, "substituters =\n"],
  ["in a comment: not touched", `# extra-substituters = ${url}\n`, `# extra-substituters = ${url}\n`],
])("removed: %s", (_, before, after) => {
  expect(removeWords(before, added)).toBe(after);
});

test.each([
  "# mine\nexperimental-features = nix-command\nextra-trusted-public-keys = a:b\n",
  "cores = 4",
  "\n\n# only a comment",
  "\textra-substituters\t=  https://a   https://b  # two\ncores=4\n\n",
  "extra-substituters=https://a\r\ncores = 4\r\n",
  "binary-caches = https://a\n",
  "extra-trusted-public-keys = a:b\nsubstituters =\n",
])("what use adds, unuse removes: %j", (before) => {
  const keys = { setting: "extra-trusted-public-keys", words: ["c:d", "e:f"] };
  const after = addWords(addWords(before, added), keys);
  expect(removeWords(removeWords(after, added), keys)).toBe(before);
});

test("netrc: the machine's entry is replaced, others and default stay", () => {
  const before =
    'machine a login l password "p q"\nmachine c.example\n  login x\n  password old\ndefault password d\n';
  const after = withMachine(before, "c.example", 'new"');
  expect(passwordIn(after, "c.example")).toBe('new"');
  expect(passwordIn(after, "a")).toBe("p q");
  expect(passwordIn(after, "other")).toBe("d");
  expect(after).not.toContain("old");
  expect(withoutOwnMachine(after, "c.example")).toBe(
    'machine a login l password "p q"\ndefault password d\n',
  );
});

test.each([
  ["without a newline", "machine a password p"],
  ["a macro at the end", "machine a password p\nmacdef init\ncd /\n"],
])("netrc: %s: what use writes is read, and unuse removes it", (_, before) => {
  const after = withMachine(before, "c.example", "new");
  expect(passwordIn(after, "c.example")).toBe("new");
  expect(passwordIn(after, "a")).toBe("p");
  expect(withoutOwnMachine(after, "c.example")).toBe(before);
});

test.each([
  ["without a password", "machine c.example login nix password \nmachine a login l password p\n"],
  [
    "of which the first has no password",
    "machine c.example login nix password\nmachine c.example login nix password old\nmachine a password p\n",
  ],
  ["without a login", "machine c.example login\nmachine a password p\n"],
])("netrc: use replaces lines %s", (_, before) => {
  const after = withMachine(before, "c.example", "new");
  expect(after).toMatch(/^machine c.example login nix password new\nmachine a (?:login l )?password p\n$/);
});

test("netrc: unuse leaves an entry that the user has written", () => {
  const before = "machine c.example\n  login x\n  password own\n";
  expect(withoutOwnMachine(before, "c.example")).toBe(before);
});

test("a file keeps owner and mode, and others cannot read a secret", () => {
  const dir = mkdtempSync(join(tmpdir(), "nix-cache-configure-"));
  const file = join(dir, "netrc");
  writeFileSync(file, "old");
  chmodSync(file, 0o644);
  writeFileSync(`${file}.new`, "left over");
  chmodSync(`${file}.new`, 0o644);
  writeText(file, "secret", 0o600);
  expect(statSync(file).mode & 0o777).toBe(0o640);
  const umask = process.umask(0o077);
  writeText(join(dir, "nix.conf"), "cores = 1\n", 0o644);
  process.umask(umask);
  expect(statSync(join(dir, "nix.conf")).mode & 0o777).toBe(0o644);
  rmSync(dir, { recursive: true });
});

test("two caches of a host have one password: it stays while one is used", () => {
  const dir = mkdtempSync(join(tmpdir(), "nix-cache-configure-"));
  const env = { HOME: dir, NIX_USER_CONF_FILES: join(dir, "first.conf") };
  const description = { public_keys: ["k-1:AAAA"] } as unknown as CacheDescription;
  const change = (made: ReturnType<typeof useChanges>) => {
    for (const { file, after, mode } of made) writeText(file, after, mode);
  };
  for (const name of ["a", "b"]) change(useChanges(`${url}/${name}`, description, "token", "user", env));
  const netrc = join(dir, ".config/nix/netrc");
  expect(readFileSync(join(dir, "first.conf"), "utf8")).toContain(`${url}/a ${url}/b`);
  change(unuseChanges(`${url}/a`, [], "user", env));
  expect(readFileSync(netrc, "utf8")).toContain("c.example");
  change(unuseChanges(`${url}/b`, ["k-1:AAAA"], "user", env));
  expect(existsSync(netrc)).toBe(false);
  expect(existsSync(join(dir, "first.conf"))).toBe(false);
  rmSync(dir, { recursive: true });
});

test("the module for NixOS quotes what Nix would read as its own", () => {
  const text = nixosModule({ url: `${url}/a"\${b}`, publicKeys: ["k:1"], isPrivate: true });
  expect(text).toContain(`"${url}/a\\"\\\${b}"`);
  expect(text).toContain("netrc-file");
  expect(moduleName(`${url}/team`)).toBe("nix-cache-c.example-team.nix");
});
