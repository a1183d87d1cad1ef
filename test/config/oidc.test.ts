/** The rules of OIDC: what they may say, and the line for each mistake. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseOidc } from "../../src/config/oidc.ts";

const GITHUB = "https://token.actions.githubusercontent.com";
const GITLAB = "https://gitlab.com";

const RULE = {
  issuer: GITHUB,
  audience: "https://cache.example.org",
  claims: { repository: "acme/app", ref: ["refs/heads/main", "refs/tags/*"] },
  permissions: ["push"],
  caches: ["nix-cache"],
};

function parse(value: unknown) {
  const problems: string[] = [];
  return { rules: parseOidc(value, problems), problems };
}

test.each([undefined, null, "", [], "[]"])("%j: no rules", (value) => {
  expect(parse(value)).toEqual({ rules: [], problems: [] });
});

test("a rule, as a value and as JSON text", () => {
  const parsed = {
    rules: [
      {
        number: 1,
        issuer: GITHUB,
        audiences: ["https://cache.example.org"],
        claims: [
          { name: "repository", patterns: ["acme/app"] },
          { name: "ref", patterns: ["refs/heads/main", "refs/tags/*"] },
        ],
        grant: { permissions: ["push"], caches: ["nix-cache"] },
      },
    ],
    problems: [],
  };
  expect(parse([RULE])).toEqual(parsed);
  expect(parse(JSON.stringify([RULE]))).toEqual(parsed);
});

test("numbers and booleans are compared as texts", () => {
  const { rules } = parse([{ ...RULE, claims: { repository_id: 42, ref_protected: true } }]);
  expect(rules[0]?.claims).toEqual([
    { name: "repository_id", patterns: ["42"] },
    { name: "ref_protected", patterns: ["true"] },
  ]);
});

describe("a mistake", () => {
  const mistakes: [string, Record<string, unknown>, RegExp][] = [
    ["no issuer", { issuer: undefined }, /issuer: must be a URL/],
    ["an issuer that is no URL", { issuer: "github" }, /issuer: must be a URL/],
    ["an issuer over http", { issuer: "http://issuer.example.org" }, /issuer: must begin with https/],
    ["an issuer that looks local", { issuer: "http://localhost.evil.example" }, /issuer: must begin with/],
    ["an issuer with a query", { issuer: `${GITHUB}?x` }, /issuer: must have no query/],
    ["an issuer with a fragment", { issuer: `${GITHUB}#x` }, /issuer: must have no query/],
    ["an issuer with a user", { issuer: "https://a:b@example.org" }, /issuer: must have no query/],
    ["an issuer that is a file", { issuer: "file:///keys" }, /issuer: must begin with https/],
    ["no audience", { audience: undefined }, /audience: must be a text/],
    ["an empty audience", { audience: "" }, /audience: must be a text/],
    ["no audience in the list", { audience: [] }, /audience: must be a text/],
    ["any audience", { audience: "*" }, /audience: must be a text/],
    ["claims as a list", { claims: ["repository"] }, /claims: must be a table/],
    ["a claim without a pattern", { claims: { repository: [] } }, /claims: "repository" must be a text/],
    ["an empty pattern", { claims: { repository: "" } }, /claims: "repository" must have from 1/],
    ["a pattern that is a table", { claims: { repository: {} } }, /claims: "repository" must be a text/],
    ["a pattern of null", { claims: { repository: null } }, /claims: "repository" must be a text/],
    ["a long pattern", { claims: { repository: "x".repeat(513) } }, /claims: "repository" must have/],
    ["the audience as a claim", { claims: { aud: "x" } }, /claims.aud: is checked .*: use audience/],
    ["the end as a claim", { claims: { exp: 1 } }, /claims.exp: is checked with every token/],
    ["no permissions", { permissions: undefined }, /permissions: must list pull, push, admin/],
    ["an unknown permission", { permissions: ["write"] }, /permissions: must list/],
    ["permissions as a text", { permissions: "push" }, /permissions: must list/],
    ["no caches", { caches: [] }, /caches: must list names/],
    ["a cache that cannot be", { caches: ["a/b"] }, /caches: must list names/],
    ["a misspelt field", { claim: {} }, /"claim": unknown field; allowed: issuer, audience, claims/],
    ["everybody as a text", { everybody: "no" }, /everybody: must be true or false/],
  ];

  test.each(mistakes)(
    "%s is one line that names rule and field; the rule does not count",
    (_, change, line) => {
      const { rules, problems } = parse([{ ...RULE }, { ...RULE, ...change }]);
      expect(rules.map(({ number }) => number)).toEqual([1]);
      expect(problems).toEqual([expect.stringMatching(/^OIDC: rule 2: [\x20-\x7e]{5,400}$/)]);
      expect(problems[0]).toMatch(line);
    },
  );

  test.each([[{}], ["{}"], ["nonsense"], [7], [true], [RULE]])("%j is no list", (value) => {
    expect(parse(value)).toEqual({
      rules: [],
      problems: [expect.stringMatching(/^OIDC: must be a list of rules/)],
    });
  });

  test("a rule that is no table", () => {
    expect(parse([7, null, []]).problems).toEqual([1, 2, 3].map((n) => `OIDC: rule ${n}: must be a table`));
  });
});

test.each(["http://localhost:8080/x", "http://127.0.0.1:1234"])(
  "%s will do on one's own machine",
  (issuer) => {
    expect(parse([{ ...RULE, issuer }]).problems).toEqual([]);
  },
);

describe("rules that let in everybody", () => {
  test.each<[string, string, Record<string, unknown>]>([
    ["no claims", GITHUB, {}],
    ["a workflow's name", GITHUB, { workflow: "ci" }],
    ["a branch", GITHUB, { ref: "refs/heads/main" }],
    ["who has begun it", GITHUB, { actor: "alice" }],
    [
      "a workflow that everybody may call",
      GITHUB,
      { job_workflow_ref: "acme/ci/.github/workflows/x.yml@main" },
    ],
    ["any repository", GITHUB, { repository: "*" }],
    ["a repository's name", GITHUB, { repository: "*/app" }],
    ["an owner's beginning", GITHUB, { repository: "acme*/app" }],
    ["an owner's beginning alone", GITHUB, { repository_owner: "acme*" }],
    ["one of two", GITHUB, { repository: ["acme/app", "**"] }],
    ["any subject", GITHUB, { sub: "*" }],
    ["subjects of any owner", GITHUB, { sub: "repo:*/app:ref:refs/heads/main" }],
    ["subjects with an owner's beginning", GITHUB, { sub: "repo:acme*" }],
    ["subjects by environment", GITHUB, { sub: "environment:prod:*" }],
    ["a slash behind the issuer", `${GITHUB}/`, { ref: "refs/heads/main" }],
    ["what every object has", GITHUB, { constructor: "x", toString: "y" }],
    ["any project", GITLAB, { project_path: "**" }],
    ["who has begun the pipeline", GITLAB, { user_login: "alice" }],
    ["a protected branch", GITLAB, { ref_protected: "true" }],
    ["no claims, of one's own issuer", "https://id.example.org", {}],
    ["nothing but *, of one's own issuer", "https://id.example.org", { sub: "*", group: ["a", "**"] }],
  ])("are a mistake: %s", (_, issuer, claims) => {
    const rule = { ...RULE, issuer, claims };
    expect(parse([rule])).toEqual({
      rules: [],
      problems: [expect.stringMatching(/^OIDC: rule 1: claims: .*; everybody = true allows this$/)],
    });
    expect(parse([{ ...rule, everybody: true }])).toMatchObject({ rules: [{}], problems: [] });
  });

  test.each<[string, Record<string, unknown>]>([
    [GITHUB, { repository: "acme/*" }],
    [GITHUB, { repository_owner_id: "123" }],
    [GITHUB, { repository_id: 42 }],
    [GITHUB, { sub: "repo:acme/app:*" }],
    [GITHUB, { sub: "repo:acme@123/app@456:ref:refs/heads/main" }],
    [GITHUB, { sub: ["repository_owner_id:123:**", "repo:acme/*:environment:prod"] }],
    [GITHUB, { workflow_ref: "acme/app/.github/workflows/ci.yml@refs/heads/main" }],
    [GITLAB, { project_path: "acme/**" }],
    [GITLAB, { namespace_path: "acme" }],
    [GITLAB, { sub: "project_path:acme/app:ref_type:branch:ref:*" }],
    ["https://gitlab.example.org", { ref_protected: true }],
  ])("are none of these: %s %j", (issuer, claims) => {
    expect(parse([{ ...RULE, issuer, claims }])).toMatchObject({ rules: [{}], problems: [] });
  });
});

test("anything at all becomes rules or problems, and never throws", () => {
  const likely = fc.record(
    {
      issuer: fc.oneof(fc.webUrl(), fc.jsonValue(), fc.constant(GITHUB)),
      audience: fc.oneof(fc.string(), fc.jsonValue()),
      claims: fc.oneof(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.jsonValue())), fc.jsonValue()),
      permissions: fc.oneof(fc.constant(["push"]), fc.jsonValue()),
      caches: fc.oneof(fc.constant(["*"]), fc.jsonValue()),
      everybody: fc.oneof(fc.boolean(), fc.jsonValue()),
    },
    { requiredKeys: [] },
  );
  const any = fc.oneof(
    fc.array(fc.oneof(likely, fc.jsonValue()), { maxLength: 4 }),
    fc.jsonValue(),
    fc.json(),
  );
  fc.assert(
    fc.property(any, (value) => {
      const { rules, problems } = parse(value);
      for (const problem of problems) expect(problem).toMatch(/^OIDC: .{10,600}$/s);
      for (const rule of rules) {
        expect(rule.issuer).toMatch(/^https?:\/\//);
        expect(
          rule.audiences.length * rule.grant.permissions.length * rule.grant.caches.length,
        ).toBeGreaterThan(0);
      }
      if (Array.isArray(value)) expect(rules.length + problems.length).toBe(value.length);
    }),
    { numRuns: 2000 },
  );
});
