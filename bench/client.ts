// `npm run bench:client`: `nix-cache push` beside `nix copy`, each into an empty cache of `wrangler dev`, and the
// question for 10,000 paths. NIX_BIN names the Nix.
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { encodeNix32 } from "../src/nix/nix32.ts";
import { newClient, removeScratch } from "../test/real-nix/client.ts";
import { generateClosure } from "../test/real-nix/closure.ts";
import { execute } from "../test/real-nix/execute.ts";
import { startServer } from "../test/real-nix/server.ts";

const PROGRAM = resolve(import.meta.dirname, "../dist/nix-cache.mjs");
const PATHS = 300;
const MANY = 10_000;

const client = newClient({ token: "push" });
try {
  console.log((await client.nix("--version")).trim());
  const path = await generateClosure(client, PATHS);
  for (const parameters of ["?compression=zstd", ""]) {
    await timed(`nix copy, ${parameters || "xz, its default"}`, (url) =>
      client.run("copy", "--to", `${url}${parameters}`, path),
    );
  }
  await timed("nix-cache push, zstd", (url) => push(url, path));
  await timed("nix-cache push, zstd, without listings", (url) => push(url, "--no-listings", path));
  const many = manyPaths();
  const load = await execute(
    "/bin/sh",
    ["-c", `nix-store --load-db < ${client.write("registrations", many.text)}`],
    {
      env: client.env,
    },
  );
  if (load.code !== 0) throw new Error(load.stderr);
  await timed(`nix-cache push --dry-run of ${MANY} paths`, (url) => push(url, "--dry-run", many.top));
} finally {
  removeScratch();
}

function push(url: string, ...args: string[]) {
  const env = { ...client.env, NIX_CACHE_URL: url, NIX_CACHE_TOKEN: "push", CI: "1" };
  return execute(process.execPath, [PROGRAM, "push", ...args], { env });
}

async function timed(what: string, run: (url: string) => ReturnType<typeof execute>): Promise<void> {
  const server = await startServer({ PUSH_TOKEN: "push" });
  try {
    // The first request of a Worker takes longer.
    await fetch(`${server.url}/nix-cache-info`);
    const start = performance.now();
    const { code, stderr, stdout } = await run(server.url);
    const seconds = (performance.now() - start) / 1000;
    console.log(
      `${seconds.toFixed(2)} s  ${what}${code === 0 ? "" : `: failed: ${stderr}`} ${stdout.trim().split("\n").at(-1)}`,
    );
  } finally {
    await server.stop();
  }
}

/** A closure of paths that are in the database only: asking for them reads no files. */
function manyPaths(): { top: string; text: string } {
  const pathOf = (index: number) =>
    `${client.storeDir}/${encodeNix32(createHash("sha256").update(String(index)).digest().subarray(0, 20))}-path-${index}`;
  const hash = createHash("sha256").update("nar").digest("hex");
  const paths = Array.from({ length: MANY }, (_, index) => pathOf(index));
  const [top = "", ...others] = paths;
  const blocks = [
    ...others.map((path) => [path, hash, "120", "", "0"]),
    [top, hash, "120", "", String(others.length), ...others],
  ];
  return { top, text: blocks.map((block) => `${block.join("\n")}\n`).join("") };
}
