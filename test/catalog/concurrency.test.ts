// Several instances of the Worker at once, each with many requests under way, over the real catalog and bucket.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { publish } from "../../src/catalog/publish/publish.ts";
import { httpErrorOf } from "../../src/catalog-refusals.ts";
import type { PublishOutcome } from "../../src/contract/paths.ts";
import type { Result } from "../../src/contract/result.ts";
import { isInspection } from "../support/bucket.ts";
import { ADMIN_TOKEN, cacheWith, keys, type TestCache } from "../support/cache.ts";
import {
  publishing,
  recorded,
  rowsOf,
  served,
  signatureBy,
  storeNar,
  withSignature,
} from "../support/catalog.ts";
import { baseNameOf, closure, hashOf, withInfo } from "../support/closure.ts";
import { captureLog } from "../support/log.ts";
import { catalog, publishPath } from "../support/runs.ts";
import { push, type TestPath, testPath } from "../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const instances = (): [TestCache, TestCache] => [cacheWith({ ADMIN_TOKEN }), cacheWith({ ADMIN_TOKEN })];
const nobodyWaits = 2000;

describe("two instances that publish the same path at once", () => {
  it("make one of it", async () => {
    const path = await testPath();
    await storeNar(path);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => instances()[n % 2]?.put(`/${path.key}`, path.text)),
    );
    expect(answers.map((answer) => answer?.status).sort()).toEqual([...Array(9).fill(200), 201]);
    expect(await served(path)).toBe(path.text);
  });

  it("lose no signature", async () => {
    const path = await testPath();
    await storeNar(path);
    const signers = Array.from({ length: 12 }, (_, n) => `signer-${n}`);
    const [one, two] = instances();
    const answers = await Promise.all(
      signers.map((signer, n) => (n % 2 ? one : two).put(`/${path.key}`, withSignature(path.text, signer))),
    );
    expect(answers.every(({ status }) => status < 300)).toBe(true);
    const text = await served(path);
    for (const signer of signers) expect(text).toContain(`Sig: ${signatureBy(signer)}\n`);
  });

  it("keep the build that comes first", async () => {
    const builds = await Promise.all([1, 2, 3, 4].map((n) => testPath("hello-1.0", `build ${n}`)));
    for (const build of builds) await storeNar(build);
    const [one, two] = instances();
    const answers = await Promise.all(
      builds.map((build, n) => (n % 2 ? one : two).put(`/${build.key}`, build.text)),
    );
    const created = answers.findIndex(({ status }) => status === 201);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
    expect(await served(builds[0] as TestPath)).toBe(builds[created]?.text);
    expect((await rowsOf("SELECT * FROM differing_builds")).length).toBe(3);
  });

  it("upload its NAR once or twice, and both are told so", async () => {
    const path = await testPath();
    const [one, two] = instances();
    const answers = await Promise.all([one, two].map((cache) => push(cache, path)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 201]);
    expect(await keys()).toEqual([path.key, path.narKey].sort());
  });
});

describe("two uploads of one NAR, one of which is cut short", () => {
  it("leave a NAR that the catalog knows", async () => {
    const path = await testPath();
    const [one, two] = instances();
    const answers = await Promise.all([
      one.put(`/${path.narKey}`, path.nar),
      two.put(`/${path.narKey}`, path.nar.slice(1)),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([201, 400]);
    expect(await keys()).toEqual([path.narKey]);
    expect(await rowsOf("SELECT key FROM nars")).toEqual([{ key: path.narKey }]);
  });
});

describe("dependent paths published at once", () => {
  it("wait for what began earlier, as if they had come one after the other", async () => {
    const chain: TestPath[] = [];
    for (let n = 0; n < 8; n++) {
      chain.push(await testPath(`path-${n}`, `path ${n}`, { references: chain.map(baseNameOf) }));
    }
    for (const path of chain) await storeNar(path);
    const results = await Promise.all(chain.map((path) => catalog().publish(path.text, "tester")));
    expect(results.map(outcome)).toEqual(chain.map(() => "created"));
  });

  it("do not wait for what begins later, and are told what is missing", async () => {
    const { library, app } = await closure();
    for (const path of [library, app]) await storeNar(path);
    const results = await Promise.all([app, library].map((path) => catalog().publish(path.text, "tester")));
    expect(results.map(outcome)).toEqual([409, "created"]);
  });

  it.each([
    ["path by path, as Nix does up to 2.34", false],
    ["all NARs first, as Nix does from 2.35", true],
  ])("by two clients that push the same closure, %s", async (_, narsFirst) => {
    const { all } = await closure();
    const copy = async (cache: TestCache): Promise<number[]> => {
      const statuses: number[] = [];
      if (narsFirst) for (const path of [...all].reverse()) await cache.put(`/${path.narKey}`, path.nar);
      for (const path of all) {
        if ((await cache.get(`/${path.key}`)).status === 200) continue;
        if (!narsFirst) await cache.put(`/${path.narKey}`, path.nar);
        statuses.push((await cache.put(`/${path.key}`, path.text)).status);
      }
      return statuses;
    };
    const statuses = (await Promise.all(instances().map(copy))).flat();
    expect(statuses.every((status) => status === 200 || status === 201)).toBe(true);
    for (const path of all) expect(await served(path)).toBe(path.text);
  });

  it("by one client while another deletes them: what is told to be there is there, or was deleted", async () => {
    const { all, library } = await closure();
    const [one, two] = instances();
    for (let round = 0; round < 3; round++) {
      const pushing = (async () => {
        for (const path of all) await push(one, path);
      })();
      await two.fetch(`/api/v1/paths/${hashOf(library)}?closure=referrers`, {
        method: "DELETE",
        headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      await pushing;
      const left = await keys();
      for (const path of all.filter(({ key }) => left.includes(key))) {
        expect(left).toContain(path.narKey);
        for (const reference of path.info.references)
          expect(left).toContain(`${reference.slice(0, 32)}.narinfo`);
      }
    }
    for (const path of all) expect((await push(one, path)).status).toBeLessThan(300);
    expect((await keys()).length).toBe(6);
  });
});

describe("paths that refer to each other, as only a lying client makes them", () => {
  /** Each refers to the next, and the last to the first. */
  async function circle(length: number): Promise<TestPath[]> {
    const paths = await Promise.all(Array.from({ length }, (_, n) => testPath(`path-${n}`, `path ${n}`)));
    return paths.map((path, n) =>
      withInfo(path, { references: [baseNameOf(paths[(n + 1) % length] as TestPath)] }),
    );
  }

  it(
    "are all refused, and nobody waits for ever",
    async () => {
      const paths = await circle(5);
      for (const path of paths) await storeNar(path);
      const results = await Promise.all(
        [...paths, ...paths, ...paths].map((path) => catalog().publish(path.text, "tester")),
      );
      expect(new Set(results.map(outcome))).toEqual(new Set([409]));
    },
    nobodyWaits,
  );

  it(
    "are refused although each waits for the other's lock",
    async () => {
      const [one, two] = (await circle(2)) as [TestPath, TestPath];
      for (const path of [one, two]) await storeNar(path);
      await recorded(async (c) => {
        const later: Promise<unknown>[] = [];
        const { result } = await publishing(one.text, {
          before: (operation) => {
            // One is under way, a second publication of it waits, and then the other begins.
            if (isInspection(operation) && operation.key === one.narKey) {
              later.push(publish(c, one.text, "tester"), publish(c, two.text, "tester"));
            }
          },
        });
        expect(result).toMatchObject({ status: 409 });
        const ends = await Promise.allSettled(later);
        expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
      });
      expect(await rowsOf("SELECT * FROM publications")).toEqual([]);
    },
    nobodyWaits,
  );
});

describe("one request", () => {
  it("asks the catalog once, and the bucket as often as it may", async () => {
    const path = await testPath();
    const calls: string[] = [];
    const namespace = new Proxy(env.CATALOG, {
      get: (target, property) => {
        if (property !== "getByName") return Reflect.get(target, property);
        return (name: string) =>
          new Proxy(target.getByName(name), {
            get: (stub, method) => {
              calls.push(String(method));
              const call: unknown = Reflect.get(stub, method, stub);
              return typeof call === "function"
                ? (...args: unknown[]) => Reflect.apply(call, stub, args)
                : call;
            },
          });
      },
    });
    const cache = cacheWith({ CATALOG: namespace });
    await cache.put(`/${path.narKey}`, path.nar);
    await cache.put(`/${path.narKey}`, path.nar);
    await cache.put(`/${path.key}`, path.text);
    expect(calls).toEqual(["announceNar", "announceNar", "publish"]);
    await cache.get(`/${path.key}`);
    await cache.get(`/${path.narKey}`);
    await cache.head(`/${path.key}`);
    expect(calls.length).toBe(3);
  });

  it("says what became of the path", async () => {
    const [cache] = instances();
    const { library, app } = await closure();
    expect((await cache.put(`/${app.narKey}`, app.nar)).status).toBe(201);
    const refused = await cache.put(`/${app.key}`, app.text);
    expect([refused.status, refused.text]).toEqual([
      409,
      `${baseNameOf(app)} refers to paths that are not in this cache: ${baseNameOf(library)}; push its whole closure: nix copy, with --narinfo-cache-positive-ttl 0 if these were deleted here\n`,
    ]);
    await publishPath(library);
    const steps = [app.text, app.text, withSignature(app.text, "a"), (await otherBuild(cache, app)).text];
    const answers = [];
    for (const text of steps) {
      const { status, text: line } = await cache.put(`/${app.key}`, text);
      answers.push([status, line]);
    }
    const name = baseNameOf(app);
    expect(answers).toEqual([
      [201, `${name} is published\n`],
      [200, `${name} is already here\n`],
      [200, `${name} was here and has been brought up to date\n`],
      [
        200,
        `${name} is already here with another content: it is not reproducible, and the first build stays\n`,
      ],
    ]);
  });
});

async function otherBuild(cache: TestCache, path: TestPath): Promise<TestPath> {
  const other = await testPath(path.info.storePath.name, "another build", {
    references: path.info.references,
  });
  await cache.put(`/${other.narKey}`, other.nar);
  return other;
}

function outcome(result: Result<PublishOutcome>): PublishOutcome | number {
  return result.ok ? result.value : httpErrorOf(result.refusal).status;
}
