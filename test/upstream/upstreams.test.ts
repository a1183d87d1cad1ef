/** Questions for many paths at once. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { configOf } from "../../src/config/config.ts";
import { findAll, type Means, upstreamsOf } from "../../src/upstream/upstreams.ts";
import { cacheWith } from "../support/cache.ts";
import { PUBLIC } from "../support/variables.ts";

const HASHES = Array.from({ length: 20 }, (_, n) => `${n}`.padStart(32, "0"));

test.each([0, 1, 2, 3, 6])("%i upstreams are asked by six questions at once, not more", async (count) => {
  const UPSTREAMS = Array.from({ length: count }, (_, n) => ({
    url: `https://upstream-${n}.example.org`,
    public_keys: [PUBLIC],
  }));
  const { environment } = cacheWith({ UPSTREAMS });
  let [now, most] = [0, 0];
  const means: Omit<Means, "afterwards"> = {
    fetch: async () => {
      most = Math.max(most, ++now);
      await scheduler.wait(1);
      now--;
      return new Response(null, { status: 404 });
    },
    cache: caches.default,
    now: Date.now,
  };
  const upstreams = upstreamsOf(environment, configOf(environment), () => {}, means);
  const findings = await findAll(upstreams, HASHES, { isPusher: true, mayRead: async () => true });
  expect([...findings.values()]).toEqual(HASHES.map(() => "absent"));
  expect(most).toBe(count === 0 ? 0 : 6);
});

describe("an upstream that cannot be reached is told in the log at once, and again when it pauses", () => {
  const warned: unknown[] = [];
  beforeEach(() => {
    warned.length = 0;
    vi.spyOn(console, "warn").mockImplementation((...line) => void warned.push(...line));
  });
  afterEach(() => vi.restoreAllMocks());

  test.each([
    ["internal error; reference = 0123abc", "it cannot be reached"],
    ["Network connection lost.", "it cannot be reached (Network connection lost.)"],
  ])("%s", async (message, told) => {
    const { environment } = cacheWith({ UPSTREAMS: ["https://cache.nixos.org"] });
    const fetch = async () => Promise.reject(new Error(message));
    const means = { fetch, cache: caches.default, now: () => 0 };
    const { find } = upstreamsOf(environment, configOf(environment), () => {}, means);
    const asker = { isPusher: true, mayRead: async () => true };
    const lines: unknown[][] = [];
    for (const hash of HASHES.slice(0, 4)) {
      expect(await find(hash, asker)).toBe("absent");
      lines.push(warned.splice(0));
    }
    expect(lines).toEqual([
      [`upstream https://cache.nixos.org: ${told}; the cache goes on without it`],
      [`upstream https://cache.nixos.org: ${told}; it is not asked for a minute`],
      [],
      [],
    ]);
  });
});
