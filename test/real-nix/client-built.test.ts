// `nix-cache push` of what was built here: the log goes along, and the realisations of content-addressed derivations,
// so that another machine builds nothing.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newKey } from "./keys.ts";
import { describeNix, emptyStore, newClient, removeScratch, scratchDir } from "./nix.ts";
import { nixCache } from "./nix-cache.ts";
import { type Server, startServer } from "./server.ts";
import { hashPart } from "./store-object.ts";

describeNix("what was built here", () => {
  const key = newKey("cache.test-1");
  let physical: string;
  let file: string;
  let server: Server;

  beforeAll(async () => {
    physical = scratchDir();
    file = join(physical, "default.nix");
    writeFileSync(
      file,
      `let
        build = name: command: derivation {
          inherit name;
          system = builtins.currentSystem;
          builder = "/bin/sh";
          args = [ "-c" "echo \${name} >> ${physical}/mark; echo said by \${name}; \${command}" ];
          __contentAddressed = true;
          outputHashMode = "recursive";
          outputHashAlgo = "sha256";
        };
      in rec {
        leaf = build "leaf" "echo a > $out";
        top = build "top" "read line < \${leaf}; echo $line \${leaf} > $out";
      }`,
    );
    server = await startServer({
      PUSH_TOKEN: "push",
      SIGNING_KEY: key.secret,
      STORE_DIR: `${physical}/store`,
    });
  });
  afterAll(async () => {
    await server.stop();
    removeScratch();
  });

  const marks = () => (existsSync(`${physical}/mark`) ? readFileSync(`${physical}/mark`, "utf8") : "");

  test("its log and realisations", async () => {
    const pusher = newClient({ physical });
    const build = ["build", "--no-link", "--json", "-f", file, "top"];
    const [{ outputs }] = JSON.parse(await pusher.nix(...build));
    const pushed = await nixCache(pusher, server.url, "push", "push", outputs.out);
    expect(pushed).toMatchObject({ code: 0, stderr: "" });
    const narInfo = await (await fetch(`${server.url}/${hashPart(outputs.out)}.narinfo`)).text();
    const [, deriver] = /^Deriver: (.*)$/m.exec(narInfo) ?? [];
    expect(await (await fetch(`${server.url}/log/${deriver}`)).text()).toBe("said by top\n");

    const built = marks();
    emptyStore(physical);
    const conf = [`substituters = ${server.url}`, `trusted-public-keys = ${key.public}`];
    const puller = newClient({ physical, conf });
    const [again] = JSON.parse(await puller.nix(...build));
    expect(again.outputs.out).toBe(outputs.out);
    expect(marks()).toBe(built);
  });
});
