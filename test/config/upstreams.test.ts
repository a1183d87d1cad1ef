/** UPSTREAMS and the `upstreams` of a cache: what they say, and their mistakes. */
import { describe, expect, it, test } from "vitest";
import { allProblems, parseConfig } from "../../src/config/config.ts";
import { captureLog } from "../support/log.ts";
import { PUBLIC, variables } from "../support/variables.ts";

captureLog();

const URL = "https://other.example.org";
const parse = (values: Record<string, unknown>) => parseConfig(variables(values));
const urls = (values: Record<string, unknown>, cache?: string) => {
  const deployment = parse(values);
  const { upstreams } = cache === undefined ? deployment : (deployment.named.get(cache) ?? { upstreams: [] });
  return upstreams.map(({ url, serve }) => `${url} ${serve}`);
};

describe("upstreams", () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    ["are cache.nixos.org where nothing is said", {}, ["https://cache.nixos.org pushers"]],
    ["are those where the variable is blank", { UPSTREAMS: "" }, ["https://cache.nixos.org pushers"]],
    ["are none for another store where nothing is said", { STORE_DIR: "/other/store" }, []],
    ["are none for an empty list", { UPSTREAMS: [] }, []],
    ["are none for an empty list as text", { UPSTREAMS: "[]" }, []],
    ["may be one URL", { UPSTREAMS: "https://cache.nixos.org/" }, ["https://cache.nixos.org pushers"]],
    [
      "may be tables",
      { UPSTREAMS: [{ url: `${URL}/sub/`, public_keys: [PUBLIC], serve: "redirect" }] },
      [`${URL}/sub redirect`],
    ],
    [
      "may be JSON text",
      { UPSTREAMS: JSON.stringify([{ url: URL, public_keys: PUBLIC, serve: "mirror" }]) },
      [`${URL} mirror`],
    ],
    [
      "may be on this machine without TLS",
      { UPSTREAMS: [{ url: "http://localhost:8080", public_keys: [PUBLIC] }] },
      ["http://localhost:8080 pushers"],
    ],
  ])("%s", async (_, values, expected) => {
    expect(urls(values)).toEqual(expected);
    expect(await allProblems(parse(values))).toEqual([]);
  });

  test("of a cache replace those of all", () => {
    const values = { UPSTREAMS: [], CACHES: { base: {}, team: { upstreams: ["/base"] } } };
    expect([urls(values), urls(values, "base"), urls(values, "team")]).toEqual([[], [], ["/base pushers"]]);
  });

  test("of all do not make a cache its own", async () => {
    const values = { UPSTREAMS: ["/base"], CACHES: { base: {}, team: {} } };
    expect([urls(values), urls(values, "base"), urls(values, "team")]).toEqual([
      ["/base pushers"],
      [],
      ["/base pushers"],
    ]);
    expect(await allProblems(parse(values))).toEqual([]);
  });

  const keyed = (more: object) => ({ url: URL, public_keys: [PUBLIC], ...more });
  it.each<[unknown, RegExp]>([
    ["cache.nixos.org", /^UPSTREAMS: must be a list/],
    [7, /^UPSTREAMS: must be a list/],
    [{ url: URL }, /^UPSTREAMS: must be a list/],
    ["[", /^UPSTREAMS: must be a list/],
    [[7], /^UPSTREAMS: upstream 1: must be a URL or a table/],
    [[URL], /^UPSTREAMS: upstream 1: public_keys: must list the public keys/],
    [[keyed({ public_keys: [] })], /^UPSTREAMS: upstream 1: public_keys: must list/],
    [[keyed({ public_keys: ["nonsense"] })], /^UPSTREAMS: upstream 1: public_keys: key 1: /],
    [[keyed({ url: "http://other.example.org" })], /^UPSTREAMS: upstream 1: url: must begin with https/],
    [
      [keyed({ url: "https://user:secret@other.example.org" })],
      /^UPSTREAMS: upstream 1: url: must have no user/,
    ],
    [[keyed({ url: `${URL}?priority=10` })], /^UPSTREAMS: upstream 1: url: must have no query/],
    [[keyed({ url: "s3://bucket" })], /^UPSTREAMS: upstream 1: url: must begin with https/],
    [[keyed({ url: "" })], /^UPSTREAMS: upstream 1: url: must be a URL/],
    [
      [keyed({ serve: "everyone" })],
      /^UPSTREAMS: upstream 1: serve: must be one of pushers, redirect, mirror/,
    ],
    [[keyed({ priority: 1 })], /^UPSTREAMS: upstream 1: "priority": unknown field/],
    [[keyed({ anonymous: 1 })], /^UPSTREAMS: upstream 1: anonymous: must be true or false/],
    [[keyed({ mirror_gb_per_day: 0 })], /^UPSTREAMS: upstream 1: mirror_gb_per_day: must be/],
    [[keyed({}), keyed({})], /^UPSTREAMS: upstream 2: url: is there already/],
    [["/nowhere"], /^UPSTREAMS: upstream 1: url: names no cache/],
  ])("%j is a mistake", async (UPSTREAMS, message) => {
    const problems = await allProblems(parse({ UPSTREAMS }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(message);
    expect(problems[0]).not.toContain("secret");
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [{ team: { upstreams: ["/team"] } }, /^CACHES.team.upstreams: upstream 1: url: is this cache itself/],
    [{ team: { upstreams: 7 } }, /^CACHES.team.upstreams: must be a list/],
    [{ "nix-cache": { upstreams: [URL] } }, /^CACHES.nix-cache.upstreams: upstream 1: public_keys/],
  ])("%j is a mistake of one cache", async (CACHES, message) => {
    expect((await allProblems(parse({ CACHES })))[0]).toMatch(message);
  });

  test("that are private are not for a public cache, and are not named", async () => {
    const problems = await allProblems(
      parse({
        UPSTREAMS: ["/base"],
        CACHES: { base: { visibility: "private" }, team: { visibility: "private" } },
      }),
    );
    expect(problems).toEqual([
      "UPSTREAMS: upstream 1: url: is a private cache, which readers of this public one may not read",
    ]);
  });
});
