// A copy of the checkout, for programs that read and write files in it: the developer's own are left alone.
import { execFileSync, spawn } from "node:child_process";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const COPIED = ["src", "bin", "package.json", "tsconfig.json", "wrangler.toml", "nix-cache.example.toml"];

export interface Checkout {
  readonly path: string;
  /** Writes one's own settings, or removes them. */
  setOwn(toml: string | undefined): Promise<void>;
  /** Edits wrangler.toml, which is committed before. */
  edit(change: (text: string) => string): Promise<void>;
  /** Runs one of its programs; both of its outputs together. */
  run(program: string, args: readonly string[], env?: NodeJS.ProcessEnv, input?: string): Promise<Ended>;
  remove(): Promise<void>;
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

export async function makeCheckout(): Promise<Checkout> {
  const path = await mkdtemp(join(tmpdir(), "nix-cache-checkout-"));
  for (const name of COPIED) await cp(join(ROOT, name), join(path, name), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(path, "node_modules"));
  const own = join(path, "nix-cache.toml");
  return {
    path,
    setOwn: (toml) => (toml === undefined ? rm(own, { force: true }) : writeFile(own, toml)),
    edit: (change) => edit(path, change),
    run: (program, args, env = {}, input = "") => run(path, program, args, env, input),
    remove: () => rm(path, { recursive: true }),
  };
}

async function edit(path: string, change: (text: string) => string): Promise<void> {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: path, encoding: "utf8" });
  git("init", "--quiet");
  git("add", "wrangler.toml");
  git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "One");
  await writeFile(join(path, "wrangler.toml"), change(git("show", "HEAD:wrangler.toml")));
}

function run(
  path: string,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  input: string,
): Promise<Ended> {
  const {
    CLOUDFLARE_API_TOKEN: _,
    CLOUDFLARE_ACCOUNT_ID: __,
    NIX_CACHE_SETTINGS: ___,
    ...others
  } = process.env;
  const child = spawn(process.execPath, [program, ...args], {
    cwd: path,
    stdio: "pipe",
    env: {
      ...others,
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_LOG_PATH: join(path, "logs"),
      NO_COLOR: "1",
      ...env,
    },
  });
  child.stdin.end(input);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) => done({ code, output }));
  });
}
