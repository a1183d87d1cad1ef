// Nix pushes without pause while collections run back to back, with the shortest grace there is: no push fails, and
// all paths that were confirmed to a pusher can be pulled.
import { setTimeout as later } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { newKey } from "./keys.ts";
import { type Client, describeNix, newClient } from "./nix.ts";
import { serve } from "./serve.ts";

/** The shortest that the Worker takes. */
const GRACE_SECONDS = 10;
/** Milliseconds for which it goes on: several times what it takes until a path is collected. */
const DURATION_MS = 75_000;
/** Milliseconds after its push in which a path is pulled at the latest; it stays for the grace period. */
const PULL_MS = 7_000;
const ADMIN = { Authorization: "Bearer admin" };

interface GcReport {
  readonly done: boolean;
  readonly problem?: string;
  readonly removed: { readonly paths: number };
  readonly finished?: string;
}

describeNix("pushing while collections run back to back", () => {
  const key = newKey("cache.test-1");
  const server = serve({
    PUSH_TOKEN: "push",
    ADMIN_TOKEN: "admin",
    SIGNING_KEY: key.secret,
    CACHES: JSON.stringify({ "nix-cache": { retention_days: 0.0001 } }),
    GC_GRACE_SECONDS: String(GRACE_SECONDS),
  });

  /** A text that refers to others, added to a client's store. */
  async function addText(client: Client, name: string, references: readonly string[]): Promise<string> {
    const expression = `builtins.toFile "${name}" ''${[name, ...references].map((text, index) => (index === 0 ? text : `\${builtins.storePath ${text}}`)).join(" ")}''`;
    const path = JSON.parse(await client.nix("eval", "--impure", "--json", "--expr", expression)) as string;
    return path;
  }

  let pinned: string;
  let pinnedAt: number;
  beforeAll(async () => {
    const pusher = newClient({ token: "push" });
    const library = await addText(pusher, "pinned-library", []);
    pinned = await addText(pusher, "pinned-top", [library]);
    await pusher.nix("copy", "--to", server.url, pinned);
    const { status } = await fetch(`${server.url}/api/v1/pins/deployed`, {
      method: "PUT",
      headers: { Authorization: "Bearer push" },
      body: JSON.stringify({ store_path: pinned }),
    });
    expect(status).toBe(200);
    pinnedAt = Date.now();
  });

  test("no push fails, what was pushed can be pulled, and what is old goes", async () => {
    const end = Date.now() + DURATION_MS;
    const isOver = () => Date.now() > end;
    const pusher = newClient({ token: "push" });
    const shared = await addText(pusher, "shared", []);
    // Two processes of Nix 2.8 that use a new cache concurrently replace each other's row of it in their database,
    // and one fails. So one uses it before.
    await pusher.nix("copy", "--to", server.url, shared);
    const counts = { pushes: 0, pulls: 0, collections: 0, removed: 0 };

    const push = async (worker: number) => {
      for (let turn = 0; !isOver(); turn++) {
        const library = await addText(
          pusher,
          `library-${worker}-${turn % 4}`,
          turn % 3 === 0 ? [shared] : [],
        );
        const top = await addText(pusher, `top-${worker}-${turn}`, [library]);
        // Without a narinfo cache, like a new CI job: a server cannot see Nix's cached answers.
        const copy = await pusher.run(
          ...["copy", "--narinfo-cache-positive-ttl", "0", "--narinfo-cache-negative-ttl", "0"],
          ...["--to", server.url, top],
        );
        const pushed = Date.now();
        expect(copy.code, copy.stderr).toBe(0);
        counts.pushes++;
        const puller = newClient({ conf: [`trusted-public-keys = ${key.public}`] });
        const pull = await puller.run("copy", "--from", server.url, top);
        if (Date.now() - pushed < PULL_MS) {
          expect(pull.code, pull.stderr).toBe(0);
          counts.pulls++;
        }
      }
    };
    const collect = async () => {
      while (!isOver()) {
        const report = await gc({ force: true });
        counts.collections++;
        if (report.done) counts.removed += report.removed.paths;
      }
    };
    await Promise.all([push(0), push(1), collect()]);
    console.log(JSON.stringify(counts));
    expect(counts.pushes).toBeGreaterThan(5);
    expect(counts.pulls).toBeGreaterThan(counts.pushes / 2);
    expect(counts.collections).toBeGreaterThan(20);
    expect(counts.removed).toBeGreaterThan(0);
  });

  test("a pin outlives everything, and resolves in one request", async () => {
    // The other test has taken longer, if it has run.
    await later(Math.max(0, pinnedAt + 2.5 * GRACE_SECONDS * 1000 - Date.now()));
    await gc({ force: true });
    const asked = await fetch(`${server.url}/api/v1/pins/deployed`, { headers: ADMIN });
    const { store_path } = (await asked.json()) as { store_path: string };
    expect(store_path).toBe(pinned);
    const puller = newClient({ conf: [`trusted-public-keys = ${key.public}`] });
    await puller.nix("copy", "--from", server.url, store_path);
  });

  async function gc(body: unknown): Promise<GcReport> {
    const response = await fetch(`${server.url}/api/v1/gc`, {
      method: "POST",
      headers: ADMIN,
      body: JSON.stringify(body),
    });
    const text = await response.text();
    expect(response.status, text).toBe(200);
    const report = JSON.parse(text) as GcReport;
    expect(report.problem).toBeUndefined();
    return report;
  }
});
