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

test("a path that the cache puts off is sent again, before what refers to it", async () => {
  const { cache, requests } = standing((narinfo, request) => {
    if (request > 2) return DONE;
    if (narinfo === "slow") return { status: 503, message: "try again", retry_after: 0 };
    return narinfo === "above" ? { status: 409, message: "refers to slow" } : DONE;
  });
  const publish = publisher(cache, () => undefined);
  const others = publish(ready("others"));
  await Promise.all([
    others,
    publish(ready("slow")),
    publish(ready("above", ["slow"])),
    publish(ready("free")),
  ]);
  expect(requests).toEqual([["others"], ["slow", "above", "free"], ["slow", "above"]]);
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
  ["too few", { paths: [] }],
  ["no statuses", { paths: [{}] }],
])("an answer that says %s is no answer", async (_, answer) => {
  const { cache } = standing(() => DONE);
  const publish = publisher({ ...cache, call: async <T>() => answer as T }, () => undefined);
  await expect(publish(ready("a"))).rejects.toMatchObject({
    kind: "network",
    message: "the cache did not say what has become of the paths",
  });
});

test("an older cache gets its narinfos and listings one by one", async () => {
  const { cache, requests, single } = standing(() => new Failure("refused", "405", 405));
  const publish = publisher(cache, () => undefined);
  await Promise.all([publish(ready("a")), publish(ready("b", ["a"]))]);
  expect(single).toEqual(["PUT /a.narinfo", "PUT /a.ls", "PUT /b.narinfo", "PUT /b.ls"]);
  expect(requests).toHaveLength(1);
});

test("a listing that is not stored is a warning", async () => {
  const { cache } = standing(() => ({ ...DONE, no_listing: "it is not UTF-8" }));
  const warnings: string[] = [];
  await publisher(cache, (line) => warnings.push(line))(ready("a"));
  expect(warnings).toEqual(["a has no listing: it is not UTF-8"]);
});
