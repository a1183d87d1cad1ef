/** What `npm start` prints to be pasted. */
import { describe, expect, test } from "vitest";
import { instructions, type RunningCache, urlOf } from "../../src/cli/instructions.ts";
import { netrcLine } from "../../src/cli/netrc.ts";

const CACHE: RunningCache = {
  address: { protocol: "http", ip: "localhost", port: 8788 },
  publicKeys: ["laptop-1:pub"],
  askedPort: 8788,
  netrcPath: "/home/ann/nix-cache/.wrangler/netrc",
  hasPullToken: false,
  problems: [],
};

test("everything to paste, with the real address", () => {
  expect(instructions(CACHE)).toMatchInlineSnapshot(`
    "
    The cache runs at http://localhost:8788
    The same address in a browser shows its page
    Its public key is laptop-1:pub

    To push, from another terminal in this folder (or ./result, or another store path):

        path=$(nix-store --add README.md)
        nix copy --to 'http://localhost:8788?compression=zstd' --netrc-file '/home/ann/nix-cache/.wrangler/netrc' --extra-experimental-features nix-command "$path"

    To pull, lines in /etc/nix/nix.conf (restart the Nix daemon if you have one):

        extra-substituters = http://localhost:8788
        extra-trusted-public-keys = laptop-1:pub

    For a month a pull by the user who pushed says that the path "lacks a signature": add
    --narinfo-cache-positive-ttl 0.

    Ctrl-C stops the cache; what was pushed stays. A local cache collects only when asked (POST /api/v1/gc): no cron
    trigger runs here.

    "
  `);
});

test("another port than the one that was asked for is told first", () => {
  expect(instructions({ ...CACHE, askedPort: 8787 })).toMatch(
    /^Port 8787 is taken, so this cache is at 8788\n\nThe cache runs at http:\/\/localhost:8788\n/,
  );
  expect(instructions({ ...CACHE, askedPort: 0 })).not.toContain("taken");
});

describe("what the configuration changes", () => {
  test("upstreams: what is not pushed", () => {
    const text = instructions({ ...CACHE, upstreams: ["https://cache.nixos.org"] });
    expect(text).toContain("\nWhat https://cache.nixos.org has is not pushed: docs/operating/upstreams.md\n");
    expect(text).toContain(
      "\nWithout a network the runtime prints errors in red about that, and pushes go on\n",
    );
  });

  test("several keys are several words", () => {
    const text = instructions({ ...CACHE, publicKeys: ["a-1:x", "a-2:y"] });
    expect(text).toContain("\n    extra-trusted-public-keys = a-1:x a-2:y\n");
  });

  test("no key: no line for it, and it says why", () => {
    const text = instructions({ ...CACHE, publicKeys: [] });
    expect(text).not.toContain("trusted-public-keys");
    expect(text).toContain("It does not sign");
  });

  test("no token: no way to push, and it says why", () => {
    const text = instructions({ ...CACHE, netrcPath: undefined });
    expect(text).not.toContain("nix copy");
    expect(text).toContain("Pushing is switched off");
  });

  test.each([
    { hasPullToken: true, token: "PULL_TOKEN" },
    { hasPullToken: false, token: "PUSH_TOKEN" },
  ])("a private cache: the netrc line of the daemon, with its $token", ({ hasPullToken, token }) => {
    expect(instructions(CACHE)).not.toContain("/etc/nix/netrc");
    const text = instructions({ ...CACHE, isPrivate: true, hasPullToken });
    expect(text).toContain("a line in /etc/nix/netrc");
    expect(text).toContain(`TOKEN is its\n${token}:\n\n    machine localhost login nix password TOKEN\n`);
  });

  test("mistakes are told", () => {
    const text = instructions({ ...CACHE, problems: ["PRIORITY: must be a whole number"] });
    expect(text).toContain("\nProblem: PRIORITY: must be a whole number\n");
  });
});

test.each([
  { ip: "localhost", url: "http://localhost:1" },
  { ip: "127.0.0.1", url: "http://127.0.0.1:1" },
  { ip: "::1", url: "http://[::1]:1" },
])("the URL of $ip is $url", ({ ip, url }) => {
  expect(urlOf({ protocol: "http", ip, port: 1 })).toBe(url);
});

test.each([
  { token: "abc_-9", word: "abc_-9" },
  { token: "with space", word: '"with space"' },
  { token: 'quo"te', word: '"quo\\"te"' },
  { token: "back\\slash", word: '"back\\\\slash"' },
  { token: "#hash", word: '"#hash"' },
])("netrc has the token $token as $word", ({ token, word }) => {
  expect(netrcLine("h", token)).toBe(`machine h login nix password ${word}`);
});
