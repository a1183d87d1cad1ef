/** A catalog that a newer Worker has migrated: an older Worker serves, refuses to write, says why, and changes nothing. */
import { evictDurableObject, reset } from "cloudflare:test";
import { afterEach, expect, it } from "vitest";
import { MIGRATIONS } from "../../src/catalog/schema.ts";
import { ADMIN_TOKEN, cacheWith, keys } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { expectRefusal } from "../support/refusal.ts";
import { catalog, inCatalog, publishPath } from "../support/runs.ts";
import { testPath } from "../support/store-paths.ts";

const NEWER = MIGRATIONS.length + 1;
const LINE = `the catalog has schema ${NEWER}, this Worker has ${MIGRATIONS.length}: deploy the newer version again`;

captureLog();
afterEach(() => reset());

it("reads go on; writes and /health name the remedy", async () => {
  const path = await testPath();
  await publishPath(path);
  await inCatalog((c) => void c.sql.exec("UPDATE schema_version SET version = ?", NEWER));
  await evictDurableObject(catalog());
  const before = await keys();

  const cache = cacheWith({ ADMIN_TOKEN });
  expect((await cache.get(`/${path.key}`)).status).toBe(200);
  expect((await cache.get(`/${path.narKey}`)).status).toBe(200);
  const other = await testPath("other-1.0");
  for (const [key, body] of [
    [other.narKey, other.nar],
    [other.key, other.text],
  ] as const) {
    expect(expectRefusal(await cache.put(`/${key}`, body), 503)).toContain(LINE);
  }
  expect(JSON.parse((await cache.get("/health")).text)).toMatchObject({
    status: "warning",
    notices: [`catalog: ${LINE}; reads go on, writes are refused`],
  });
  expect(await keys()).toEqual(before);
});

it("an older Worker goes on with a new catalog, under a new CACHE_NAME", async () => {
  const path = await testPath();
  await publishPath(path);
  await inCatalog((c) => void c.sql.exec("UPDATE schema_version SET version = ?", NEWER));
  await evictDurableObject(catalog());

  const cache = cacheWith({ ADMIN_TOKEN, CACHE_NAME: "back" });
  const other = await testPath("other-1.0");
  for (const [key, body] of [
    [other.narKey, other.nar],
    [other.key, other.text],
  ] as const) {
    expect((await cache.put(`/${key}`, body)).status).toBe(201);
  }
  const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  expect((await cache.fetch("/api/v1/reindex", { method: "POST", headers })).status).toBe(200);
  const { paths } = JSON.parse((await cache.get("/api/v1/paths", headers)).text);
  const keys = paths.map(({ hash }: { hash: string }) => `${hash}.narinfo`);
  expect(keys.toSorted()).toEqual([path.key, other.key].toSorted());
});
