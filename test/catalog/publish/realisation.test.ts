/** Realisations that are pushed again, by others, or with other signatures: the first output stays, signed by the cache. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pathDetail } from "../../../src/catalog/ask/detail.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import type { Realisation } from "../../../src/nix/realisation.ts";
import { rowsOf, signatureBy } from "../../support/catalog.ts";
import { baseNameOf, hashOf } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { newKey } from "../../support/own-keys.ts";
import {
  configOfKeys,
  FLAT,
  pushing,
  realised,
  signersOf,
  storedRealisation,
  TRACE,
} from "../../support/realisations.ts";
import { inCatalog, publishPath, reindex } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();

const [CACHE, NEXT, BUILDER, OTHER] = (await Promise.all(
  (["cache-1", "cache-2", "builder-1", "other-1"] as const).map(newKey),
)) as [Key, Key, Key, Key];
type Key = Awaited<ReturnType<typeof newKey>>;
const KEYS = [CACHE, NEXT, BUILDER, OTHER];
const SIGNS = configOfKeys([CACHE]);
const PLAIN = configOfKeys([]);
const TRUSTS = configOfKeys([CACHE], [BUILDER]);
const DEPENDENCY: Realisation["dependentRealisations"] = [
  [`sha256:${"b".repeat(64)}!out`, `${"2".repeat(32)}-random`],
];

let first: TestPath;
let second: TestPath;
beforeEach(async () => {
  first = await testPath("first");
  second = await testPath("second");
  for (const path of [first, second]) await publishPath(path);
  await inCatalog((c) => reindex(c));
});
afterEach(() => reset());

describe.each([FLAT, TRACE])("%s", (key) => {
  it("is signed by every key of the cache, and one more push of it writes nothing", async () => {
    const config = configOfKeys([CACHE, NEXT]);
    const doi = await realised(baseNameOf(first), [BUILDER], {}, key);
    expect(await pushing(doi, config)).toMatchObject({
      result: "created",
      operations: [`put ${key}`],
      purged: [],
    });
    expect(await signersOf(KEYS, key)).toEqual(["builder-1", "cache-1", "cache-2"]);
    expect(await pushing(doi, config)).toMatchObject({ result: "unchanged", operations: [`get ${key}`] });
  });

  it("keeps its signatures when it is pushed without, and gets those that a push adds", async () => {
    await pushing(await realised(baseNameOf(first), [BUILDER], {}, key), SIGNS);
    const before = await (await env.BUCKET.get(key))?.text();
    expect((await pushing(await realised(baseNameOf(first), [], {}, key), SIGNS)).result).toBe("unchanged");
    expect(await (await env.BUCKET.get(key))?.text()).toBe(before);
    const added = await pushing(await realised(baseNameOf(first), [OTHER], {}, key), SIGNS);
    expect(added).toMatchObject({
      result: "updated",
      operations: [`get ${key}`, `put ${key}`],
      purged: [[`/${key}`]],
    });
    expect(await signersOf(KEYS, key)).toEqual(["builder-1", "cache-1", "other-1"]);
  });

  it("of another output does not replace the first, and shows in the detail of its path", async () => {
    await pushing(await realised(baseNameOf(first), [], {}, key), SIGNS);
    const other = await realised(baseNameOf(second), [BUILDER], {}, key);
    for (let push = 0; push < 2; push++) {
      expect(await pushing(other, SIGNS)).toMatchObject({
        result: "kept-existing",
        operations: [`get ${key}`],
      });
    }
    expect((await storedRealisation(key))?.outPath).toBe(baseNameOf(first));
    const { differing_realisations } = await inCatalog((c) => pathDetail(c, hashOf(first)));
    const time = expect.stringMatching(/^\d{4}-/);
    const id = key === FLAT ? `sha256:${"a".repeat(64)}!out` : `${"0".repeat(32)}-hello.drv!out`;
    expect(differing_realisations).toEqual([
      { id, out_path: baseNameOf(second), first_push: time, last_push: time, pushed_by: "PUSH_TOKEN" },
    ]);
    expect(await rowsOf("SELECT key, owner FROM companions")).toEqual([{ key, owner: hashOf(first) }]);
  });
});

describe("what differs", () => {
  it("is recorded up to a bound, and forgotten with the path", async () => {
    await pushing(await realised(baseNameOf(first)), PLAIN);
    for (let n = 0; n < 15; n++) {
      await pushing(await realised(`${String(n).padStart(32, "0")}-other`), PLAIN);
    }
    const count = "SELECT count(*) AS n FROM differing_realisations";
    expect(await rowsOf(count)).toEqual([{ n: 10 }]);
    await inCatalog((c) => deletePath(c, hashOf(first), false));
    expect([await rowsOf(count), await storedRealisation()]).toEqual([[{ n: 0 }], undefined]);
  });

  it("replaces the first where that is in the cache no more", async () => {
    const gone = `${"3".repeat(32)}-gone`;
    await pushing(await realised(gone, [OTHER]), SIGNS);
    expect((await pushing(await realised(baseNameOf(second)), SIGNS)).result).toBe("updated");
    expect([(await storedRealisation())?.outPath, await signersOf(KEYS)]).toEqual([
      baseNameOf(second),
      ["cache-1"],
    ]);
    expect(await rowsOf("SELECT owner FROM companions")).toEqual([{ owner: hashOf(second) }]);
  });

  it("does not where only the bucket knows of the first", async () => {
    const found = await testPath("found");
    await pushing(await realised(baseNameOf(found)), SIGNS);
    await env.BUCKET.put(found.narKey, found.nar);
    await env.BUCKET.put(found.key, found.text);
    expect((await pushing(await realised(baseNameOf(second)), SIGNS)).result).toBe("kept-existing");
  });
});

describe("signatures", () => {
  it("are at most 32, the cache's own and those of trusted keys among them", async () => {
    const many = Array.from({ length: 40 }, (_, n) => signatureBy(`stranger-${n}`));
    await pushing(await realised(baseNameOf(first), [BUILDER], { signatures: many }), TRUSTS);
    const signers = await signersOf(KEYS);
    expect(signers).toHaveLength(32);
    expect(signers).toEqual(expect.arrayContaining(["builder-1", "cache-1"]));
  });

  it("in the name of the cache that it has not made go", async () => {
    await pushing(await realised(baseNameOf(first), [], { signatures: [signatureBy("cache-1")] }), SIGNS);
    expect(await signersOf(KEYS)).toEqual(["cache-1"]);
  });

  it("sign no dependent realisations, which are taken out; a cache without a key leaves them", async () => {
    const doi = await realised(baseNameOf(first), [BUILDER], { dependentRealisations: DEPENDENCY });
    await pushing(doi, PLAIN);
    expect((await storedRealisation())?.dependentRealisations).toEqual(DEPENDENCY);
    expect((await pushing(doi, SIGNS)).result).toBe("updated");
    expect((await storedRealisation())?.dependentRealisations).toEqual([]);
    // The builder's was over the dependencies: a later push of its own, as 2.34 makes it, verifies.
    expect(await signersOf(KEYS)).toEqual(["builder-1?", "cache-1"]);
    await pushing(await realised(baseNameOf(first), [BUILDER]), SIGNS);
    expect(await signersOf(KEYS)).toEqual(["builder-1", "builder-1?", "cache-1"]);
  });
});

describe("with trusted keys", () => {
  const trusted = () => realised(baseNameOf(first), [BUILDER], { dependentRealisations: DEPENDENCY });

  it.each([
    ["none", async () => realised(baseNameOf(first))],
    ["another key", async () => realised(baseNameOf(first), [OTHER])],
    ["the cache", async () => realised(baseNameOf(first), [CACHE])],
    [
      "the trusted key, without the dependent realisations",
      async () => {
        const bare = await realised(baseNameOf(first), [BUILDER]);
        const { signatures } = JSON.parse(bare.text) as { signatures: string[] };
        return realised(baseNameOf(first), [], { signatures, dependentRealisations: DEPENDENCY });
      },
    ],
  ])("one signed by %s is refused without any operation", async (_, make) => {
    const { result, operations } = await pushing(await make(), TRUSTS);
    expect([result, operations]).toEqual([expect.objectContaining({ status: 403 }), []]);
    expect(await storedRealisation()).toBeUndefined();
  });

  it("one signed by a trusted key is signed by the cache, which remembers that key", async () => {
    expect((await pushing(await trusted(), TRUSTS)).result).toBe("created");
    expect(await signersOf(KEYS)).toEqual(["builder-1?", "cache-1"]);
    const object = await env.BUCKET.head(FLAT);
    expect(object?.customMetadata).toEqual({ "trusted-by": BUILDER.public });
    expect((await pushing(await trusted(), TRUSTS)).result).toBe("unchanged");
  });
});
