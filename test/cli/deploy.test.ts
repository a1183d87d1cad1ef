/** `npm run deploy`: what wrangler sends to Cloudflare, and what it says where Cloudflare refuses. */
// @module-tag slow
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Checkout, makeCheckout } from "./checkout.ts";
import { ACCOUNT, type Refusal, type StandIn, startStandIn } from "./cloudflare-api.ts";

const TIMEOUT_MS = 120_000;

let checkout: Checkout;
let cloudflare: StandIn;

beforeAll(async () => {
  checkout = await makeCheckout();
});
afterAll(() => checkout.remove());
beforeEach(async () => {
  cloudflare = await startStandIn();
});
afterEach(() => cloudflare.close());

function deploy(args = ["deploy"], input?: string) {
  const env = {
    CLOUDFLARE_API_BASE_URL: cloudflare.url,
    CLOUDFLARE_API_TOKEN: "token",
    CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
  };
  return checkout.run("src/deploy/wrangler.ts", args, env, input);
}

function uploaded(worker: string) {
  const upload = cloudflare.account.workers.get(worker)?.upload;
  if (upload === undefined) throw new Error(`nothing was sent for ${worker}`);
  return upload;
}

describe("the first deployment, as it is cloned", { timeout: TIMEOUT_MS }, () => {
  test("makes the bucket and the Durable Object, and sends the Worker", async () => {
    await checkout.setOwn(undefined);
    const { code, output } = await deploy();
    expect(output).toContain("https://nix-cache.acme.workers.dev");
    expect(code).toBe(0);
    expect([...cloudflare.account.buckets]).toEqual([["nix-cache", { jurisdiction: "default" }]]);
    const { metadata, modules } = uploaded("nix-cache");
    expect(metadata).toMatchObject({
      main_module: "index.js",
      bindings: [
        { name: "CATALOG", type: "durable_object_namespace", class_name: "Catalog" },
        { name: "BUCKET", type: "r2_bucket", bucket_name: "nix-cache" },
      ],
      migrations: { new_tag: "v1", steps: [{ new_sqlite_classes: ["Catalog"] }] },
      observability: { enabled: true, logs: { invocation_logs: false } },
      cache_options: { enabled: true },
    });
    expect(modules).toContainEqual(["index.js", "application/javascript+module"]);
    expect(modules).toContainEqual([expect.stringMatching(/xz\.wasm$/), "application/wasm"]);
    expect(cloudflare.account.crons).toEqual([{ cron: "23 3 * * *" }]);
    expect(cloudflare.account.domains).toEqual([]);
  });
});

describe("a deployment with settings of one's own", { timeout: TIMEOUT_MS }, () => {
  const OWN = `
name = "team-cache"
routes = [{ pattern = "cache.example.org", custom_domain = true }]
triggers = { crons = ["5 4 * * *"] }
placement = { mode = "smart" }

[[r2_buckets]]
binding = "BUCKET"
bucket_name = "team"
jurisdiction = "eu"

[vars]
PRIORITY = 30
[vars.CACHES.team]
visibility = "private"
`;

  test("sends them, keeps the secrets, and migrates no Durable Object again", async () => {
    await checkout.setOwn(OWN);
    const { account, requests } = cloudflare;
    account.workers.set("team-cache", { secrets: ["PUSH_TOKEN", "SIGNING_KEY"], migrationTag: "v1" });
    account.buckets.set("team", { jurisdiction: "eu" });
    const { code, output } = await deploy();
    expect(output).toContain("cache.example.org (custom domain)");
    expect(code).toBe(0);
    const { metadata } = uploaded("team-cache");
    expect(metadata).toMatchObject({
      bindings: [
        { name: "PRIORITY", type: "json", json: 30 },
        { name: "CACHES", type: "json", json: { team: { visibility: "private" } } },
        { name: "CATALOG", type: "durable_object_namespace", class_name: "Catalog" },
        { name: "BUCKET", type: "r2_bucket", bucket_name: "team", jurisdiction: "eu" },
      ],
      placement: { mode: "smart" },
      keep_bindings: expect.arrayContaining(["secret_text", "secret_key"]),
    });
    expect(metadata.migrations).toBeUndefined();
    expect(account.crons).toEqual([{ cron: "5 4 * * *" }]);
    expect(account.domains).toEqual(["cache.example.org"]);
    expect([...account.workers.keys()]).toEqual(["team-cache"]);
    // The bucket is there, and nothing deletes anything: no secret, no object, no bucket.
    expect(requests.filter((request) => /^DELETE|^POST \/r2/.test(request))).toEqual([]);
  });

  test("with a mistake asks for nothing", async () => {
    await checkout.setOwn('[vars]\nPUSH_TOKEN = "hunter2"\nPRIORITY = "high"\n');
    const { code, output } = await deploy();
    expect(code).toBe(1);
    expect(output).toContain("Problem: PUSH_TOKEN: is a secret");
    expect(output).toContain("Problem: PRIORITY: must be a whole number");
    expect(output).not.toContain("hunter2");
    expect(cloudflare.requests).toEqual([]);
  });

  test("a secret goes to the Worker of that name", async () => {
    await checkout.setOwn(OWN);
    cloudflare.account.workers.set("team-cache", { secrets: ["SIGNING_KEY"] });
    const { code, output } = await deploy(["secret", "put", "PUSH_TOKEN"], "hunter2\n");
    expect(output).not.toContain("hunter2");
    expect(code).toBe(0);
    const { workers } = cloudflare.account;
    expect([...workers].map(([name, { secrets }]) => [name, secrets])).toEqual([
      ["team-cache", ["SIGNING_KEY", "PUSH_TOKEN"]],
    ]);
  });
});

describe("where Cloudflare refuses, its message is shown", { timeout: TIMEOUT_MS }, () => {
  const FORBIDDEN: Refusal = { status: 403, code: 10000, message: "Authentication error" };

  const NO_R2 = "Please enable R2 through the Cloudflare Dashboard.";

  test.each<[string, RegExp, Refusal, string]>([
    ["an account without R2", / \/r2\//, { status: 400, code: 10042, message: NO_R2 }, NO_R2],
    // wrangler goes on without creating the bucket, and the upload fails.
    ["a token without R2", / \/r2\//, FORBIDDEN, "R2 bucket 'nix-cache' not found."],
    ["a token that may not deploy", /^PUT \/workers\/scripts\//, FORBIDDEN, FORBIDDEN.message],
    ["a token that may do nothing in the account", / \/(?:workers|r2)/, FORBIDDEN, FORBIDDEN.message],
  ])("%s", async (_, pattern, refusal, message) => {
    await checkout.setOwn(undefined);
    cloudflare.refuse(pattern, refusal);
    const { code, output } = await deploy();
    expect(output).toContain(message);
    expect(code).toBe(1);
    expect(output).not.toMatch(/^\s+at /m);
    expect(cloudflare.account.workers.size).toBe(0);
  });
});
