// `npm run bench:client`: `nix-cache push` beside `nix copy`, each into an empty cache of `wrangler dev`, near and by a
// proxy that answers later, as a network does; and the question for 10,000 paths. NIX_BIN names the Nix.
import { createHash } from "node:crypto";
import { Agent, createServer, request } from "node:http";
import { resolve } from "node:path";
import { encodeNix32 } from "../src/nix/nix32.ts";
import { newClient, removeScratch } from "../test/real-nix/client.ts";
import { generateClosure } from "../test/real-nix/closure.ts";
import { execute } from "../test/real-nix/execute.ts";
import { listen } from "../test/real-nix/proxy.ts";
import { startServer } from "../test/real-nix/server.ts";
import { usageOf } from "./processes.ts";

const PROGRAM = resolve(import.meta.dirname, "../dist/nix-cache.mjs");
const PATHS = 300;
const MANY = 10_000;
/** A round trip within a continent. */
const DELAY_MS = 50;

const client = newClient({ token: "push" });
try {
  console.log((await client.nix("--version")).trim());
  const path = await generateClosure(client, PATHS);
  for (const delayMs of [0, DELAY_MS]) {
    console.log(`each answer ${delayMs} ms later:`);
    for (const parameters of ["?compression=zstd&write-nar-listing=true", "?compression=zstd", ""]) {
      await timed(`nix copy, ${parameters || "xz, its default"}`, delayMs, (url) =>
        client.run("copy", "--to", `${url}${parameters}`, path),
      );
    }
    await timed("nix-cache push, zstd", delayMs, (url) => push(url, path));
    await timed("nix-cache push, zstd, without listings", delayMs, (url) => push(url, "--no-listings", path));
  }
  const many = manyPaths();
  const load = await execute(
    "/bin/sh",
    ["-c", `nix-store --load-db < ${client.write("registrations", many.text)}`],
    {
      env: client.env,
    },
  );
  if (load.code !== 0) throw new Error(load.stderr);
  await timed(`nix-cache push --dry-run of ${MANY} paths`, 0, (url) => push(url, "--dry-run", many.top));
} finally {
  removeScratch();
}

function push(url: string, ...args: string[]) {
  const env = { ...client.env, NIX_CACHE_URL: url, NIX_CACHE_TOKEN: "push", CI: "1" };
  return execute(process.execPath, [PROGRAM, "push", ...args], { env });
}

async function timed(
  what: string,
  delayMs: number,
  run: (url: string) => ReturnType<typeof execute>,
): Promise<void> {
  const server = await startServer({ PUSH_TOKEN: "push" });
  const proxy = await later(server.port, delayMs);
  try {
    // The first request of a Worker takes longer.
    await fetch(`${proxy.url}/nix-cache-info`);
    const start = performance.now();
    const before = cpuSeconds(server.group);
    const { code, stderr, stdout } = await run(proxy.url);
    const seconds = (performance.now() - start) / 1000;
    const cpu = cpuSeconds(server.group) - before;
    const failure = code === 0 ? "" : `: failed: ${stderr}`;
    console.log(
      `${seconds.toFixed(2)} s  ${what}${failure}; ${proxy.requests()} requests, ${cpu.toFixed(2)} s of the server's CPU; ${stdout.trim().split("\n").at(-1)}`,
    );
  } finally {
    await proxy.stop();
    await server.stop();
  }
}

/** What the server's processes have taken so far: another load of the machine disturbs this little. */
function cpuSeconds(group: number): number {
  return usageOf(group)?.cpuSeconds ?? Number.NaN;
}

/** A proxy that passes each request on after so many milliseconds. */
async function later(port: number, delayMs: number) {
  let requests = 0;
  const agent = new Agent({ keepAlive: true });
  const proxy = createServer((incoming, outgoing) => {
    requests += 1;
    const { method, url: path, headers } = incoming;
    setTimeout(() => {
      const upstream = request({ host: "127.0.0.1", port, method, path, headers, agent }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.rawHeaders);
        answer.pipe(outgoing);
      });
      upstream.on("error", () => outgoing.destroy());
      incoming.pipe(upstream);
    }, delayMs);
  });
  const listening = await listen(proxy);
  return { url: `http://127.0.0.1:${listening.port}`, requests: () => requests - 1, stop: listening.stop };
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
