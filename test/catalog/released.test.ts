/** Catalogs that released versions made, as test/fixtures/catalogs keeps them, become one of now with all that was in them. */
import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import changelog from "../../CHANGELOG.md?raw";
import { ADMIN_TOKEN, cacheWith } from "../support/cache.ts";
import { schemaOf, tablesOf } from "../support/older-catalog.ts";
import { catalog, inCatalog } from "../support/runs.ts";

// To add one: run the version's wrangler dev, push, pin, mint and check, and dump the SQLite file of the Durable Object
// from .wrangler/state, without the tables of the runtime (_cf_..., __miniflare_...). Let its tokens expire in 2100.
const FILES = import.meta.glob<string>("../fixtures/catalogs/*.sql", {
  query: "?raw",
  import: "default",
  eager: true,
});
const DUMPS = new Map(
  Object.entries(FILES).map(([path, dump]) => [path.replace(/^.*\/|\.sql$/g, ""), dump] as const),
);

afterEach(() => reset());

test("there is one of every released version", () => {
  const released = [...changelog.matchAll(/^## \[(\d[\d.]*)\]/gm)].map(([, version]) => version);
  expect([...DUMPS.keys()].toSorted()).toEqual(released.toSorted());
});

test.each([...DUMPS])("%s", async (_, dump) => {
  await inCatalog(({ sql }) => {
    for (const name of tablesOf(sql)) sql.exec(`DROP TABLE ${name}`);
    sql.exec(dump);
  });
  await evictDurableObject(catalog());
  const cache = cacheWith({ ADMIN_TOKEN });
  const get = async (path: string) => {
    const { status, text } = await cache.get(`/api/v1/${path}`, { Authorization: `Bearer ${ADMIN_TOKEN}` });
    expect(status, text).toBe(200);
    return JSON.parse(text);
  };
  const detail = await get("paths/n0m8s8nwkdxy7yfzrf1aynd4cy76102b");
  expect(detail).toMatchObject({
    name: "greet-1.0",
    references: ["zrvqrzplg1rrqpbwnpv5qwpisi6apr5k-libgreet-1.0"],
    referrers: ["db5vsynvjm3why5fmg3inqqdkwq041dg-text-1.0"],
  });
  expect((await get("paths")).paths).toHaveLength(3);
  expect((await get("pins")).pins).toMatchObject([
    {
      name: "release",
      keep_revisions: 2,
      store_path: "/nix/store/n0m8s8nwkdxy7yfzrf1aynd4cy76102b-greet-1.0",
    },
  ]);
  expect((await get("stats")).paths).toBe(3);
  const schema = (name: string) =>
    runInDurableObject(env.CATALOG.getByName(name), (_, { storage }) => schemaOf(storage.sql));
  expect(await schema("nix-cache")).toEqual(await schema("fresh"));
  const tokens = await inCatalog(({ sql }) =>
    sql.exec("SELECT name, revoked FROM tokens ORDER BY name").toArray(),
  );
  expect(tokens).toEqual([
    { name: "ci", revoked: null },
    { name: "old", revoked: expect.any(Number) },
  ]);
});
