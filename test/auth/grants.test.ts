/** What grants allow, and what may be handed on of them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { whoami } from "../../src/auth/gate/whoami.ts";
import {
  type Grant,
  type Identity,
  isCachePattern,
  may,
  narrowed,
  notHeld,
  PERMISSIONS,
  type Permission,
  strongest,
} from "../../src/auth/grants.ts";

function grant(permissions: readonly Permission[], ...caches: string[]): Grant {
  return { permissions, caches };
}

function identity(...grants: Grant[]): Identity {
  return { name: "somebody", credential: "minted", grants };
}

describe("may", () => {
  const table: [Permission, Permission, boolean][] = [
    ["pull", "pull", true],
    ["pull", "push", false],
    ["pull", "admin", false],
    ["push", "pull", true],
    ["push", "push", true],
    ["push", "admin", false],
    ["admin", "pull", true],
    ["admin", "push", true],
    ["admin", "admin", true],
  ];
  test.each(table)("who holds %s does %s: %j", (held, wanted, expected) => {
    expect(may(identity(grant([held], "a")), wanted, "a")).toBe(expected);
  });

  test("each permission only on its own caches", () => {
    const who = identity(grant(["push"], "a", "team-*"), grant(["pull"], "*"));
    expect(["a", "team-x", "b", "team"].map((name) => strongest(who, name))).toEqual([
      "push",
      "push",
      "pull",
      "pull",
    ]);
  });

  test("nothing without a grant, nor with an empty one", () => {
    for (const who of [identity(), identity(grant([], "*")), identity(grant(["admin"]))]) {
      for (const permission of PERMISSIONS) expect(may(who, permission, "a")).toBe(false);
      expect(strongest(who, "a")).toBeUndefined();
    }
  });
});

describe("notHeld", () => {
  test.each<[string, Grant[], Grant, readonly [Permission, string] | undefined]>([
    ["the same", [grant(["push"], "a")], grant(["push"], "a"), undefined],
    ["less", [grant(["admin"], "*")], grant(["pull", "push"], "a", "team-*"), undefined],
    ["a narrower pattern", [grant(["push"], "team-*")], grant(["push"], "team-a-*"), undefined],
    ["a wider pattern", [grant(["push"], "team-*")], grant(["push"], "*"), ["push", "*"]],
    ["a pattern for a name", [grant(["push"], "team")], grant(["push"], "tea*"), ["push", "tea*"]],
    ["more", [grant(["push"], "*")], grant(["pull", "admin"], "a"), ["admin", "a"]],
    ["another cache", [grant(["admin"], "a")], grant(["pull"], "a", "b"), ["pull", "b"]],
    ["of several", [grant(["push"], "a"), grant(["pull"], "*")], grant(["pull"], "b"), undefined],
    ["mixed from several", [grant(["push"], "a"), grant(["pull"], "*")], grant(["push"], "b"), ["push", "b"]],
    ["nothing held", [], grant(["pull"], "a"), ["pull", "a"]],
  ])("%s", (_, held, given, expected) => {
    expect(notHeld(given, held)).toEqual(expected);
  });

  test("what is handed on never allows what its giver may not", () => {
    const letters = (extra: string[]) =>
      fc.array(fc.constantFrom("a", "b", ...extra), { minLength: 1, maxLength: 3 }).map((l) => l.join(""));
    const anyGrant = fc.record({
      permissions: fc.subarray([...PERMISSIONS]),
      caches: fc.array(letters(["*"]), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(fc.array(anyGrant, { maxLength: 3 }), anyGrant, letters([]), (held, given, name) => {
        fc.pre(notHeld(given, held) === undefined);
        for (const permission of PERMISSIONS) {
          if (may(identity(given), permission, name))
            expect(may(identity(...held), permission, name)).toBe(true);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

test.each([
  ["nix-cache", true],
  ["*", true],
  ["team-*", true],
  ["*-ci", true],
  ["a".repeat(63), true],
  ["a".repeat(64), false],
  ["", false],
  ["**", false],
  ["a**b", false],
  ["-a", false],
  ["A", false],
  ["a/b", false],
  ["a b", false],
  ["a\n", false],
])("a cache's name or pattern: %j: %j", (text, expected) => {
  expect(isCachePattern(text)).toBe(expected);
});

test("whoami says what a credential is worth, and nothing else of it", () => {
  const who = {
    ...identity(grant(["push"], "a")),
    expiresAt: Date.UTC(2030, 0, 1),
    tokenId: "id",
    secret: "s",
  };
  expect(whoami(who)).toEqual({
    name: "somebody",
    credential: "minted",
    grants: [{ permissions: ["push"], caches: ["a"] }],
    expires: "2030-01-01T00:00:00.000Z",
    id: "id",
  });
  expect(JSON.stringify(whoami({ name: "PUSH_TOKEN", credential: "static", grants: [] }))).toBe(
    '{"name":"PUSH_TOKEN","credential":"static","grants":[]}',
  );
});

describe("narrowed", () => {
  const pull = grant(["pull"], "a");
  const push = grant(["push"], "b*");
  const table: [Grant[], Permission[], Grant[]][] = [
    [[pull, push], ["pull"], [pull, grant(["pull"], "b*")]],
    [[pull, push], ["push"], [push]],
    [
      [pull, push],
      ["pull", "push"],
      [pull, grant(["pull", "push"], "b*")],
    ],
    [[pull, push], ["admin"], []],
  ];
  test.each(table)("%j to %j is %j", (grants, permissions, expected) => {
    expect(narrowed(grants, permissions)).toEqual(expected);
  });

  test("nothing is in it that was not held", () => {
    const permissions = fc.subarray([...PERMISSIONS], { minLength: 1 });
    const grants = fc.array(permissions.map((some) => grant(some, "a")));
    fc.assert(
      fc.property(grants, permissions, (held, wanted) => {
        for (const given of narrowed(held, wanted)) expect(notHeld(given, held)).toBe(undefined);
      }),
    );
  });
});
