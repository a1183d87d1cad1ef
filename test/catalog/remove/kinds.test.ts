// Every kind of object is deleted with its owner: no object of a deleted path stays in the bucket.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { KINDS } from "../../../src/bucket/kinds.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { cacheWith, keys } from "../../support/cache.ts";
import { baseNameOf, hashOf, withInfo } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { companionOf } from "../../support/objects.ts";
import { inCatalog, later, NAR_GRACE_MS, publishPath, reindex } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const DERIVER = `${"0".repeat(32)}-hello.drv`;
const COMPANIONS = KINDS.filter(({ ownership }) => ownership.by !== "itself");

describe.each(COMPANIONS)("a $name", ({ name, ownership, maxBytes }) => {
  it.each(["that was pushed", "that another tool has put into the bucket"])(
    "%s goes with what it belongs to",
    async (how) => {
      const path = await withInfo(await testPath("hello"), { deriver: DERIVER });
      const { narKey } = path;
      const owner = { hash: hashOf(path), baseName: baseNameOf(path), deriver: DERIVER, narKey };
      const [key, example] = companionOf(name, owner);
      // As large as may be, where it is read to find the owner.
      const body = ownership.by === "content" ? example.padEnd(maxBytes) : example;
      await publishPath(path);
      if (how === "that was pushed") expect((await cacheWith().put(`/${key}`, body)).status).toBe(201);
      else {
        await env.BUCKET.put(key, body);
        await inCatalog((c) => reindex(c));
      }
      // A realisation is written anew, without the white space.
      expect((await cacheWith().get(`/${key}`)).text.trimEnd()).toBe(body.trimEnd());
      await inCatalog((c) => deletePath(c, owner.hash, false));
      await inCatalog((c) => sweepNars(c), later(2 * NAR_GRACE_MS));
      expect(await keys()).toEqual([]);
    },
  );
});
