// How the client publishes: many paths with a request, references first, and each path that is refused by itself.
import { expect, test } from "vitest";
import { Failure } from "../../src/client/ground/failure.ts";
import type { Cache } from "../../src/client/http/api.ts";
import { publisher } from "../../src/client/push/publisher.ts";
import { MAX_PUBLISHED, type PublishedPath } from "../../src/contract/publishing.ts";

interface Stand {
  readonly cache: Cache;
  /** The narinfos of each request, in order. */
  readonly requests: string[][];
  /** Methods and paths of the other requests. */
  readonly single: string[];
}

/** A cache that answers as told, after `begin` has been called for as many requests. */
function standing(answer: (narinfo: string, request: number) => PublishedPath | Failure): Stand {
  const requests: string[][] = [];
  const single: string[] = [];
  const cache: Cache = {
    settings: { url: "https://cache.example.org", token: "t", tokenFrom: undefined },
    send: async ({ method, path }) => {
      single.push(`${method} ${path}`);
      return { status: 200, headers: {}, body: Buffer.of() };
    },
    call: async <T>(_method: string, _path: string, body?: object) => {
      const sent = (body as { paths: { narinfo: string }[] }).paths.map(({ narinfo }) => narinfo);
      requests.push(sent);
      // Others are handed on meanwhile.
      await new Promise((resume) => setImmediate(resume));
      const answers = sent.map((narinfo) => answer(narinfo, requests.length));
      const failure = answers.find((each) => each instanceof Failure);
      if (failure !== undefined) throw failure;
      return { paths: answers } as T;
    },
  };
  return { cache, requests, single };
}

const DONE: PublishedPath = { status: 201, message: "is published" };
const ready = (name: string, references: readonly string[] = []) => ({
  path: name,
  references,
  hashPart: name,
  narinfo: name,
  listing: "{}",
});

const noWait = () => new Promise<void>((resume) => setImmediate(resume));

test("a closure in as few requests as there are limits for, in order", async () => {
  const { cache, requests } = standing(() => DONE);
  const publish = publisher(cache, () => undefined);
  const names = Array.from({ length: 120 }, (_, index) => `p${index}`);
  await Promise.all(
    names.map((name, index) => publish(ready(name, [name, ...names.slice(Math.max(index - 3, 0), index)]))),
  );
  expect(requests.flat()).toEqual(names);
  // The first goes at once.
  expect(requests.map(({ length }) => length)).toEqual([1, MAX_PUBLISHED, MAX_PUBLISHED, 19]);
});

test("large narinfos share requests as far as the cache takes their bytes, and one always goes", async () => {
  const { cache, requests } = standing(() => DONE);
  const publish = publisher(cache, () => undefined);
  const MIB = 1024 * 1024;
  const sizes = [1, MIB / 2 - 10, MIB / 2 - 10, MIB / 2, MIB + 1, 1];
  await Promise.all(sizes.map((size, index) => publish(ready(String(index).padEnd(size, "x")))));
  expect(requests.map((sent) => sent.map(({ length }) => length))).toEqual([
    [1],
    [MIB / 2 - 10, MIB / 2 - 10],
    [MIB / 2],
    [MIB + 1],
    [1],
  ]);
});

test("what refers to a path that is on its way waits for it; the others do not", async () => {
  const { cache, requests } = standing(() => DONE);
  const publish = publisher(cache, () => undefined);
  const all = [
    publish(ready("first")),
    publish(ready("second", ["first"])),
    publish(ready("third", ["second"])),
  ];
  const free = Array.from({ length: 16 }, (_, index) => publish(ready(`free-${index}`)));
  expect(requests).toEqual([["first"], Array.from(free, (_, index) => `free-${index}`)]);
  await Promise.all([...all, ...free]);
  expect(requests.slice(2)).toEqual([["second", "third"]]);
});

test("a refused path fails with the cache's words, and all that refer to it", async () => {
  const { cache, requests } = standing((narinfo) =>
    narinfo === "bad" ? { status: 400, message: "bad: the NAR is another" } : DONE,
  );
  const publish = publisher(cache, () => undefined);
  const bad = publish(ready("bad"));
  const above = publish(ready("above", ["bad"]));
  const top = publish(ready("top", ["above"]));
  const good = publish(ready("good"));
  await expect(bad).rejects.toMatchObject({
    kind: "refused",
    status: 400,
    message: "bad: the NAR is another",
  });
  await expect(above).rejects.toMatchObject({
    kind: "failed",
    message: "refers to bad, which could not be pushed",
  });
  await expect(top).rejects.toThrow("refers to above, which could not be pushed");
  await good;
  await expect(publish(ready("late", ["top"]))).rejects.toThrow("refers to top");
  expect(requests.flat()).toEqual(["bad", "good"]);
});

test("what refers to one that is refused in the same request fails because of it", async () => {
  const { cache } = standing((narinfo) =>
    narinfo === "good" ? DONE : { status: 409, message: `${narinfo} refers to paths that are not here` },
  );
  const publish = publisher(cache, () => undefined);
  const good = publish(ready("good"));
  const bad = publish(ready("bad"));
  const above = publish(ready("above", ["bad"]));
  await expect(bad).rejects.toThrow("bad refers to paths that are not here");
  await expect(above).rejects.toThrow("refers to bad, which could not be pushed");
  await good;
});

test("a path that the cache puts off is sent again, before what refers to it", async () => {
  const { cache, requests } = standing((narinfo, request) => {
    if (request > 2) return DONE;
    if (narinfo === "slow") return { status: 503, message: "try again", retry_after: 0 };
    return narinfo === "above" ? { status: 409, message: "refers to slow" } : DONE;
  });
  const publish = publisher(cache, () => undefined, noWait);
  const others = publish(ready("others"));
  await Promise.all([
    others,
    publish(ready("slow")),
    publish(ready("above", ["slow"])),
    publish(ready("free")),
  ]);
  expect(requests).toEqual([["others"], ["slow", "above", "free"], ["slow", "above"]]);
});

test("a cache that takes a few paths of each request gets the others again, as often as it needs", async () => {
  let before = 0;
  const { cache, requests } = standing((_, request) => {
    const isFirst = request !== before;
    before = request;
    return isFirst ? DONE : { status: 503, message: "try again", retry_after: 0 };
  });
  const publish = publisher(cache, () => undefined, noWait);
  const names = Array.from({ length: 9 }, (_, index) => `p${index}`);
  await Promise.all(names.map((name) => publish(ready(name))));
  expect(requests).toHaveLength(names.length);
});

test("a path that is put off for ever fails after five times, whatever goes along", async () => {
  let times = 0;
  const { cache } = standing((narinfo) => {
    if (narinfo !== "bad") return DONE;
    times += 1;
    return { status: 503, message: "try again", retry_after: 0 };
  });
  const publish = publisher(cache, () => undefined, noWait);
  const bad = publish(ready("bad"));
  const others = Array.from({ length: 40 }, async (_, index) => {
    for (let round = 0; round < 10; round++) await publish(ready(`p${index}-${round}`));
  });
  await expect(bad).rejects.toMatchObject({ kind: "network", status: 503 });
  await Promise.all(others);
  expect(times).toBe(5);
});

test("while a path waits to be sent again, others are published", async () => {
  const { cache } = standing((narinfo, request) =>
    narinfo === "slow" && request === 1 ? { status: 503, message: "try again", retry_after: 20 } : DONE,
  );
  const waits: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const pause = (ms: number) => {
    waits.push(ms);
    return promise;
  };
  const publish = publisher(cache, () => undefined, pause);
  const slow = publish(ready("slow"));
  await publish(ready("free"));
  expect(waits).toEqual([20_000]);
  resolve();
  await slow;
});

test.each([
  ["has no time for many", 503, "network"],
  ["takes no large body", 413, "refused"],
] as const)("a cache that %s gets fewer with a request, and all of them", async (_, status, kind) => {
  const { cache, requests } = standing((_, request) =>
    (requests[request - 1] ?? []).length > 12 ? new Failure(kind, "too much", status) : DONE,
  );
  const publish = publisher(cache, () => undefined);
  const names = Array.from({ length: 120 }, (_, index) => `p${index}`);
  await Promise.all(
    names.map((name, index) => publish(ready(name, names.slice(Math.max(index - 2, 0), index)))),
  );
  expect(requests.length).toBeLessThan(40);
});

test.each([
  ["does not answer", new Failure("network", "no answer"), 3],
  ["does not take the token", new Failure("refused", "401", 401), 1],
])("a cache that %s is not asked for each of thousands", async (_, failure, most) => {
  const { cache, requests } = standing(() => failure);
  const publish = publisher(cache, () => undefined);
  const names = Array.from({ length: 1000 }, (_, index) => `p${index}`);
  const results = await Promise.allSettled(names.map((name) => publish(ready(name))));
  expect(results.every(({ status }) => status === "rejected")).toBe(true);
  // Two at once, and one of many that is tried again as one of few.
  expect(requests.length).toBeLessThanOrEqual(2 * most + 2);
  await expect(publish(ready("late"))).rejects.toBe(failure);
});

test.each([
  ["no cache", new Failure("network", "no answer"), { kind: "network" }],
  ["a wrong token", new Failure("refused", "401", 401), { status: 401 }],
])("%s fails all of the request", async (_, failure, expected) => {
  const { cache } = standing(() => failure);
  const publish = publisher(cache, () => undefined);
  for (const each of [publish(ready("a")), publish(ready("b", ["a"]))]) {
    await expect(each).rejects.toBeInstanceOf(Failure);
  }
  await expect(publish(ready("c"))).rejects.toMatchObject(expected);
});

test.each([
  ["nothing", {}],
  ["an empty body", undefined],
  ["too few", { paths: [] }],
  ["a text", { paths: "x" }],
  ["null", { paths: [null] }],
  ["no statuses", { paths: [{}] }],
  ["texts for numbers", { paths: [{ status: "201", message: "is published" }] }],
  ["no words", { paths: [{ status: 409 }] }],
])("an answer that says %s is no answer", async (_, answer) => {
  const { cache } = standing(() => DONE);
  const publish = publisher({ ...cache, call: async <T>() => answer as T }, () => undefined);
  await expect(publish(ready("a"))).rejects.toMatchObject({
    kind: "network",
    message: "the cache did not say what has become of the paths",
  });
});

test("the cache's words are one line, with nothing that a terminal obeys", async () => {
  const { cache } = standing(() => ({ status: 400, message: "a is\u001b[2J\nwrong " }));
  await expect(publisher(cache, () => undefined)(ready("a"))).rejects.toThrow(/^a is \[2J wrong$/);
});

test("an older cache gets its narinfos and listings one by one", async () => {
  const { cache, requests, single } = standing(() => new Failure("refused", "405", 405));
  const publish = publisher(cache, () => undefined);
  await Promise.all([publish(ready("a")), publish(ready("b", ["a"]))]);
  expect(single).toEqual(["PUT /a.narinfo", "PUT /a.ls", "PUT /b.narinfo", "PUT /b.ls"]);
  expect(requests).toHaveLength(1);
});

test("an older cache that refuses one path gets the others", async () => {
  const { cache } = standing(() => new Failure("refused", "405", 405));
  const send: Cache["send"] = async ({ path }) => {
    if (path === "/bad.narinfo") throw new Failure("refused", "PUT /bad.narinfo: 400: bad is wrong", 400);
    if (path === "/away.narinfo") throw new Failure("network", "no answer");
    return { status: 200, headers: {}, body: Buffer.of() };
  };
  const publish = publisher({ ...cache, send }, () => undefined);
  const results = await Promise.allSettled(["a", "bad", "away", "b"].map((name) => publish(ready(name))));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
});

test("a listing that is not stored is a warning", async () => {
  const { cache } = standing(() => ({ ...DONE, no_listing: "it is not UTF-8" }));
  const warnings: string[] = [];
  await publisher(cache, (line) => warnings.push(line))(ready("a"));
  expect(warnings).toEqual(["a has no listing: it is not UTF-8"]);
});
