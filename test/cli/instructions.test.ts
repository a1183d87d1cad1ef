/** What `npm start` prints to be pasted. */
import { describe, expect, test } from "vitest";
import { instructions, netrcLine, type RunningCache, urlOf } from "../../src/cli/instructions.ts";

const CACHE: RunningCache = {
  address: { protocol: "http", ip: "localhost", port: 8788 },
  publicKeys: ["laptop-1:pub"],
  pushToken: "secret",
  pullToken: undefined,
  netrcPath: "/home/ann/.netrc",
  problems: [],
};

test("everything to paste, with the real address", () => {
  expect(instructions(CACHE)).toMatchInlineSnapshot(`
    "
    The cache runs at http://localhost:8788
    Its web page is http://localhost:8788/_/
    Its public key is laptop-1:pub

    To push, a line in /home/ann/.netrc:

        machine localhost login nix password secret

    and then, for anything that you have built:

        nix copy --to 'http://localhost:8788?compression=zstd' --netrc-file '/home/ann/.netrc' --extra-experimental-features nix-command ./result

    To pull, lines in /etc/nix/nix.conf (restart the Nix daemon if you have one):

        extra-substituters = http://localhost:8788
        extra-trusted-public-keys = laptop-1:pub

    The user who has pushed a path remembers it without the cache's signature for a month: to pull it back as that
    user, add --narinfo-cache-positive-ttl 0.

    Ctrl-C stops the cache; what was pushed stays. A local cache collects only when asked (POST /api/v1/gc): no cron
    trigger runs here.

    "
  `);
});

describe("what the configuration changes", () => {
  test("upstreams: what is not pushed", () => {
    const text = instructions({ ...CACHE, upstreams: ["https://cache.nixos.org"] });
    expect(text).toContain("\nWhat https://cache.nixos.org has is not pushed: docs/operating/upstreams.md\n");
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
    const text = instructions({ ...CACHE, pushToken: undefined });
    expect(text).not.toContain("nix copy");
    expect(text).toContain("Pushing is switched off");
  });

  test("a private cache: the netrc line of the daemon, with the token that may only read", () => {
    expect(instructions(CACHE)).not.toContain("/etc/nix/netrc");
    const text = instructions({ ...CACHE, isPrivate: true, pullToken: "reader" });
    expect(text).toContain("a line in /etc/nix/netrc");
    expect(text).toContain("\n    machine localhost login nix password reader\n");
  });

  test("a private cache without such a token: that of pushers", () => {
    const text = instructions({ ...CACHE, isPrivate: true });
    expect(text.split("machine localhost login nix password secret").length - 1).toBe(2);
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
