// Upstreams with real Nix: a push sends only what the upstream does not have, with URL and netrc alone.
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateClosure } from "./closure.ts";
import { expectSameClosure } from "./compare.ts";
import { newKey } from "./keys.ts";
import { type Client, describeNix, newClient, removeScratch, scratchDir } from "./nix.ts";
import { type Server, startServer } from "./server.ts";
import { startTlsUpstream, type TlsUpstream } from "./tls-upstream.ts";

const SIZE = 60;
const OWN = 2;
/** Only members may list paths. */
const AS_PUSHER = { headers: { Authorization: "Bearer push" } };

describeNix("a closure whose lower part is in an upstream", () => {
  const key = newKey("cache.test-1");
  let upstream: TlsUpstream;
  let server: Server;
  let pusher: Client;
  let own: string;

  /** A client that trusts the certificate of the upstream and the keys of both. */
  const client = (options: { token?: string; substituters?: string[] } = {}): Client => {
    const { token, substituters = [] } = options;
    const made = newClient({
      ...(token !== undefined && { token }),
      conf: [
        `trusted-public-keys = ${key.public} ${upstream.key.public}`,
        `substituters = ${substituters.join(" ")}`,
      ],
    });
    // The setting ssl-cert-file is newer than some of the versions.
    made.env.NIX_SSL_CERT_FILE = upstream.certificate;
    return made;
  };

  const start = (serve: string) =>
    startServer(
      { PUSH_TOKEN: "push", SIGNING_KEY: key.secret, UPSTREAMS: upstream.variable({ serve }) },
      scratchDir(),
      { NODE_EXTRA_CA_CERTS: upstream.certificate },
    );

  beforeAll(async () => {
    const builder = newClient();
    upstream = await startTlsUpstream((text) => builder.write("upstream-key", text));
    const lower = await generateClosure(builder, SIZE);
    await builder.nix("copy", "--to", upstream.storeUrl, lower);
    server = await start("pushers");
    pusher = client({ token: "push" });
    await pusher.nix("copy", "--from", upstream.url, lower);
    const expression = `
      let first = builtins.toFile "own-1" "after \${builtins.storePath "${lower}"}";
      in builtins.toFile "own-2" "after \${first} and \${builtins.storePath "${lower}"}"`;
    own = await pusher.nix("eval", "--impure", "--raw", "--expr", expression);
    upstream.seen.length = 0;
    await pusher.nix("copy", "--to", server.url, own);
  });

  afterAll(async () => {
    await Promise.all([server?.stop(), upstream?.stop()]);
    removeScratch();
  });

  test("only the own paths travel, and no credential goes to the upstream", async () => {
    const answer = await fetch(`${server.url}/api/v1/paths?limit=1000`, AS_PUSHER);
    const { paths } = (await answer.json()) as { paths: { name: string }[] };
    expect(paths.map(({ name }) => name).sort()).toEqual(["own-1", "own-2"]);
    expect(upstream.seen.filter((path) => path.startsWith("/nar/"))).toEqual([]);
    // The own ones are asked for, too.
    expect(upstream.seen.filter((path) => path.endsWith(".narinfo")).length).toBe(SIZE + OWN);
    expect(upstream.sawCredential()).toBe(false);
  });

  test("a client with both substituters gets it identical, signatures required", async () => {
    const puller = client({ substituters: [server.url, upstream.url] });
    await puller.nix("build", "--no-link", own);
    await expectSameClosure(pusher, puller, own, SIZE + OWN);
    await puller.nix("store", "verify", "-r", own);
  });

  test("the pushing user gets it back from ours alone, without any ttl option", async () => {
    const root = scratchDir();
    const store = `local?root=${root}`;
    await pusher.nix("copy", "--from", server.url, "--to", store, own);
    const paths = await pusher.nix("path-info", "-r", "--store", store, own);
    expect(paths.trim().split("\n")).toHaveLength(SIZE + OWN);
    await pusher.nix("store", "verify", "-r", "--store", store, own);
  });

  test("a second push sends nothing", async () => {
    const { code, stderr } = await pusher.run("copy", "--to", server.url, own);
    expect(code, stderr).toBe(0);
    expect(stderr).not.toContain("copying path");
  });

  test.each(["redirect", "mirror"])("in %s a client with ours alone gets it identical", async (serve) => {
    const other = await start(serve);
    try {
      // Another user pushes, who has not asked before.
      const second = client({ token: "push" });
      await second.nix("copy", "--no-check-sigs", "--from", pusher.storeUrl, own);
      await second.nix("copy", "--to", other.url, own);
      const puller = client({ substituters: [other.url] });
      await puller.nix("build", "--no-link", own);
      await expectSameClosure(pusher, puller, own, SIZE + OWN);
      const copier = client();
      await copier.nix("copy", "--from", other.url, own);
      await expectSameClosure(pusher, copier, own, SIZE + OWN);
    } finally {
      await other.stop();
    }
  });

  test("with the upstream dead everything is pushed", async () => {
    const dead = newClient();
    const gone = await startTlsUpstream((text) => dead.write("key", text));
    await gone.stop();
    const alone = await startServer({ PUSH_TOKEN: "push", UPSTREAMS: gone.variable() });
    try {
      const begun = Date.now();
      const again = client({ token: "push" });
      await again.nix("copy", "--no-check-sigs", "--from", pusher.storeUrl, own);
      await again.nix("copy", "--to", alone.url, own);
      expect(Date.now() - begun).toBeLessThan(60_000);
      const answer = await fetch(`${alone.url}/api/v1/paths?limit=1000`, AS_PUSHER);
      const { paths } = (await answer.json()) as { paths: unknown[] };
      expect(paths).toHaveLength(SIZE + OWN);
    } finally {
      await alone.stop();
    }
  });
});
