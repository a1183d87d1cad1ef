/** Questions for many paths at once. */
import { expect, test } from "vitest";
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
