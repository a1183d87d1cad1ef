// What `use` and `unuse` do to nix.conf and netrc: their own words and nothing else.
import { expect, test } from "vitest";
import { withMachine, withoutMachine } from "../../src/client/configure/netrc-file.ts";
import { addWords, removeWords } from "../../src/client/configure/nix-conf.ts";
import { moduleName, nixosModule } from "../../src/client/configure/nixos-module.ts";
import { passwordIn } from "../../src/client/settings/netrc.ts";

const url = "https://c.example";
const added = { setting: "extra-substituters", words: [url] };

test.each([
  ["nothing there", "", `extra-substituters = ${url}\n`],
  ["other settings", "# mine\ncores = 4\n", `# mine\ncores = 4\nextra-substituters = ${url}\n`],
  ["no newline at the end", "cores = 4", `cores = 4\nextra-substituters = ${url}\n`],
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
  ["of a plain list, which stays", `substituters = ${url}\n`, "substituters = \n"],
  ["in a comment: not touched", `# extra-substituters = ${url}\n`, `# extra-substituters = ${url}\n`],
])("removed: %s", (_, before, after) => {
  expect(removeWords(before, added)).toBe(after);
});

test("what use adds, unuse removes", () => {
  const before = "# mine\nexperimental-features = nix-command\nextra-trusted-public-keys = a:b\n";
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
  expect(withoutMachine(after, "c.example")).toBe('machine a login l password "p q"\ndefault password d\n');
});

test("the module for NixOS quotes what Nix would read as its own", () => {
  const text = nixosModule({ url: `${url}/a"\${b}`, publicKeys: ["k:1"], isPrivate: true });
  expect(text).toContain(`"${url}/a\\"\\\${b}"`);
  expect(text).toContain("netrc-file");
  expect(moduleName(`${url}/team`)).toBe("nix-cache-c.example-team.nix");
});
