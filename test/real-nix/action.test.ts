// GitHub's action with a real Nix and a real server: what the job builds is in the cache after its end.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { execute } from "./execute.ts";
import { newKey } from "./keys.ts";
import { type Client, describeNix, emptyStore, newClient, removeScratch, scratchDir } from "./nix.ts";
import { type Server, startServer } from "./server.ts";

const ACTION = resolve(import.meta.dirname, "../../src/action");

describeNix("the action", () => {
  const key = newKey("cache.test-1");
  let server: Server;
  let physical: string;
  let file: string;

  beforeAll(async () => {
    physical = scratchDir();
    file = join(physical, "default.nix");
    writeFileSync(
      file,
      `{ name }: derivation {
        inherit name;
        system = builtins.currentSystem;
        builder = "/bin/sh";
        args = [ "-c" "echo \${name} > $out; echo \${name} >> ${physical}/built" ];
      }`,
    );
    server = await startServer({
      PUSH_TOKEN: "push",
      SIGNING_KEY: key.secret,
      STORE_DIR: `${physical}/store`,
    });
  });

  afterAll(async () => {
    await server?.stop();
    removeScratch();
  });

  /** A job on a runner whose store is the one in `physical`. */
  function job(inputs: Record<string, string>) {
    const client: Client = newClient({ physical });
    const temporary = scratchDir();
    const env: Record<string, string> = {
      ...client.env,
      RUNNER_TEMP: temporary,
      GITHUB_ENV: join(temporary, "env"),
      GITHUB_STATE: join(temporary, "state"),
      INPUT_URL: server.url,
      INPUT_TOKEN: "push",
      ...inputs,
    };
    const step = async (name: string) => {
      const { code, stdout, stderr } = await execute(process.execPath, [join(ACTION, `${name}.ts`)], {
        env,
        cwd: temporary,
      });
      expect({ code, stderr }, stdout).toMatchObject({ code: 0 });
      return stdout;
    };
    return {
      temporary,
      begin: async () => {
        await step("main");
        Object.assign(env, parseEnv(readFileSync(join(temporary, "env"), "utf8")));
      },
      build: async (name: string) => {
        const args = ["build", "--no-link", "--impure", "-f", file, "--argstr", "name", name];
        expect(await execute("nix", args, { env, cwd: temporary })).toMatchObject({ code: 0 });
      },
      end: () => {
        for (const [name, value] of Object.entries(
          parseEnv(readFileSync(join(temporary, "state"), "utf8")),
        )) {
          env[`STATE_${name}`] = value ?? "";
        }
        return step("post");
      },
    };
  }

  async function ofApi<T>(path: string): Promise<T> {
    const answer = await fetch(`${server.url}/api/v1${path}`, { headers: { authorization: "Bearer push" } });
    return (await answer.json()) as T;
  }

  async function cached(): Promise<string[]> {
    const { paths } = await ofApi<{ paths: { store_path: string }[] }>("/paths");
    return paths.map(({ store_path }) => store_path.replace(/.*\/[^-]*-/, "")).sort();
  }

  function built(): string[] {
    return readFileSync(join(physical, "built"), "utf8").trim().split("\n");
  }

  test("pushes what this job has built, and the next job fetches it", async () => {
    const first = job({ INPUT_EXCLUDE: "-secret$" });
    await first.begin();
    await first.build("one");
    await first.build("a-secret");
    await first.end();
    expect(await cached()).toEqual(["one"]);

    emptyStore(physical);
    const second = job({});
    await second.begin();
    await second.build("one");
    expect(built()).toEqual(["one", "a-secret"]);
    expect(await second.end()).toContain("Nothing was built.");
  });

  test("pushes and pins what is named, although the runner's store had it already", async () => {
    const earlier = job({ INPUT_PUSH: "false" });
    await earlier.begin();
    await earlier.build("two");
    await earlier.end();
    expect(await cached()).not.toContain("two");

    const { temporary, begin, end } = job({ INPUT_PIN: "app" });
    await begin();
    const path = await newClient({ physical }).nix(
      "eval",
      "--impure",
      "--raw",
      "--expr",
      `"\${import ${file} { name = "two"; }}"`,
    );
    mkdirSync(temporary, { recursive: true });
    symlinkSync(path, join(temporary, "result"));
    await end();
    expect(await cached()).toContain("two");
    expect(await ofApi("/pins/app")).toMatchObject({ store_path: path });
  });
});
