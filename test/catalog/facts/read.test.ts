// Reading a NAR: what later readings leave of earlier ones.
import { reset } from "cloudflare:test";
import { afterEach, expect, it } from "vitest";
import { readContent } from "../../../src/catalog/facts/read.ts";
import { claimOf } from "../../../src/catalog/facts/verdict.ts";
import { verdictNow } from "../../../src/catalog/facts/verdict-now.ts";
import { attemptsOf, beginAttempt, newestQueued } from "../../../src/catalog/rows/nar-queue.ts";
import { settlePublications } from "../../../src/catalog/rows/publications.ts";
import { cacheWith } from "../../support/cache.ts";
import { largePath } from "../../support/lies.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog } from "../../support/runs.ts";
import { compressedPath, push } from "../../support/store-paths.ts";

captureLog();
afterEach(reset);

it("a reading that does not end takes nothing from an earlier one, and the next deep check tries again", async () => {
  const path = await largePath("a");
  await push(cacheWith(), path);
  const states = await inCatalog(async (c) => {
    await readContent(c, path.narKey, [claimOf(path.info)]);
    const before = verdictNow(c, path.info);
    for (let attempt = 0; attempt < 2; attempt++) beginAttempt(c, path.narKey);
    await readContent(c, path.narKey, [claimOf(path.info)], { isDeep: true });
    return [before, verdictNow(c, path.info), attemptsOf(c, path.narKey)];
  });
  expect(states).toEqual([{ kind: "verified" }, { kind: "verified" }, 0]);
});

it("an address that a reading without an end was to check cannot be told", async () => {
  const path = await largePath("a");
  await push(cacheWith(), path);
  const claim = { ...claimOf(path.info), ca: `fixed:r:sha1:${"0".repeat(40)}`, refersToItself: false };
  const addresses = await inCatalog(async (c) => {
    await readContent(c, path.narKey, [claimOf(path.info)]);
    for (let attempt = 0; attempt < 2; attempt++) beginAttempt(c, path.narKey);
    const content = (await readContent(c, path.narKey, [claim]))?.facts[claim.compression];
    return content?.kind === "nar" && content.addresses;
  });
  expect(addresses).toEqual({ [claim.ca]: null });
});

it("a small file is not unpacked beside a NAR that is being read: it is queued", async () => {
  const path = await compressedPath("small");
  const cache = cacheWith();
  await inCatalog(async (c) => {
    let end = () => {};
    const reading = c.locks.run("reading", () => new Promise<void>((resolve) => (end = resolve)));
    await push(cache, path);
    settlePublications(c);
    expect([verdictNow(c, path.info).kind, newestQueued(c)?.key]).toEqual(["waiting", path.narKey]);
    end();
    await reading;
    await push(cache, path);
  });
});
