// `import` from a source that lies: what is not as its narinfo says is not imported, and the rest is.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { importFrom } from "../../src/client/commands/import.ts";
import type { Cache } from "../../src/client/http/api.ts";
import { type ImportOptions, importAll } from "../../src/client/import/import.ts";
import { folderSource, httpSource, type Source } from "../../src/client/import/source.ts";

const scratch = mkdtempSync(join(tmpdir(), "nix-cache-import-"));
const env = { HOME: scratch };
const NAR = Buffer.from("a NAR");
const GOOD = "g".repeat(32);
const HASH = "h".repeat(32);

let answer: (request: IncomingMessage, response: ServerResponse) => void;
let published: string[];
const server = createServer((request, response) => answer(request, response));
/** Another server, as its origin says. */
const other = createServer((request, response) => {
  authorization = request.headers.authorization;
  response.end(NAR);
});
let authorization: string | undefined;

beforeAll(async () => {
  await Promise.all([server, other].map((each) => once(each.listen(0, "127.0.0.1"), "listening")));
  writeFileSync(join(scratch, ".netrc"), "machine 127.0.0.1 login x password secret\n");
});
afterAll(() => {
  for (const each of [server, other]) each.closeAllConnections();
  for (const each of [server, other]) each.close();
  rmSync(scratch, { recursive: true });
});
beforeEach(() => {
  published = [];
  authorization = "not asked";
});

const urlOf = (of: typeof server) => `http://127.0.0.1:${(of.address() as AddressInfo).port}`;

function narInfo(hash: string, more: Readonly<Record<string, string>> = {}): string {
  const digest = createHash("sha256").update(NAR).digest("hex");
  const fields = {
    StorePath: `/nix/store/${hash}-name`,
    URL: `nar/${hash}.nar`,
    Compression: "none",
    NarHash: `sha256:${digest}`,
    NarSize: String(NAR.length),
    References: "",
    ...more,
  };
  return Object.entries(fields)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join("");
}

const cache: Cache = {
  settings: { url: "https://cache.example.org", token: "t", tokenFrom: undefined },
  send: async () => ({ status: 200, headers: {}, body: Buffer.of() }),
  call: async <T>(_method: string, path: string, body?: object) => {
    if (path === "/missing") return { missing: (body as { paths: string[] }).paths } as T;
    const sent = (body as { paths: { narinfo: string }[] }).paths;
    for (const { narinfo } of sent) published.push(`/${/store\/(.{32})/.exec(narinfo)?.[1]}.narinfo`);
    return { paths: sent.map(() => ({ status: 201, message: "is published" })) } as T;
  },
};

const options: ImportOptions = {
  jobs: 2,
  compression: { method: "none" },
  partSize: 64 * 1024 * 1024,
  dryRun: false,
  env,
  onProgress: () => undefined,
  warn: () => undefined,
};

const imported = (source: Source) => importAll(cache, source, [GOOD, HASH], "/nix/store", options);

/** Serves these files and endless ones, beside the good path. */
function serving(files: Readonly<Record<string, string | "endless">>): void {
  const all: Readonly<Record<string, string>> = {
    [`/${GOOD}.narinfo`]: narInfo(GOOD),
    [`/nar/${GOOD}.nar`]: NAR.toString(),
    ...files,
  };
  answer = ({ url = "" }, response) => {
    const text = all[url];
    if (text === undefined) return response.writeHead(404).end();
    if (text !== "endless") return response.end(text);
    const piece = Buffer.alloc(64 * 1024, "x: y\n");
    const more = () => {
      while (!response.destroyed && response.write(piece));
    };
    response.on("drain", more);
    return more();
  };
}

test.each<[string, Readonly<Record<string, string>>, string]>([
  ["a narinfo of another path", { [`/${HASH}.narinfo`]: narInfo(GOOD) }, "of another path"],
  ["an endless narinfo", { [`/${HASH}.narinfo`]: "endless" }, "is too long"],
  ["a narinfo that is none", { [`/${HASH}.narinfo`]: "<html>" }, "line"],
  ["an absent narinfo", {}, "does not have it"],
  ["an absent NAR", { [`/${HASH}.narinfo`]: narInfo(HASH) }, "404"],
  [
    "another NAR",
    { [`/${HASH}.narinfo`]: narInfo(HASH), [`/nar/${HASH}.nar`]: "b NAR" },
    "is not what its narinfo says",
  ],
  [
    "an endless NAR",
    { [`/${HASH}.narinfo`]: narInfo(HASH), [`/nar/${HASH}.nar`]: "endless" },
    "is longer than its narinfo says",
  ],
  [
    "an endless NAR, compressed, of no size",
    { [`/${HASH}.narinfo`]: narInfo(HASH, { Compression: "xz" }), [`/nar/${HASH}.nar`]: "endless" },
    "is longer than its narinfo says",
  ],
  ["a URL of no web server", { [`/${HASH}.narinfo`]: narInfo(HASH, { URL: "file:///etc/passwd" }) }, ""],
])("%s", async (_, files, reason) => {
  serving(files);
  const report = await imported(httpSource(urlOf(server), env));
  expect(report.imported).toEqual([`/nix/store/${GOOD}-name`]);
  expect(report.failed).toMatchObject([{ reason: expect.stringContaining(reason) }]);
  expect(published).toEqual([`/${GOOD}.narinfo`]);
});

test("a NAR of another server is fetched without the token", async () => {
  serving({ [`/${HASH}.narinfo`]: narInfo(HASH, { URL: `${urlOf(other)}/x.nar` }) });
  expect((await imported(httpSource(urlOf(server), env))).failed).toEqual([]);
  expect(authorization).toBeUndefined();
});

test.each([
  ["a URL that leads out", "../secret.nar"],
  ["the same, escaped", "nar/%2e%2e/%2e%2e/secret.nar"],
  ["a link that leads out", "nar/link.nar"],
])("a folder with %s", async (_, url) => {
  const dir = join(mkdtempSync(join(scratch, "folder-")), "cache");
  mkdirSync(join(dir, "nar"), { recursive: true });
  writeFileSync(join(dir, "../secret.nar"), NAR);
  symlinkSync("../../secret.nar", join(dir, "nar/link.nar"));
  writeFileSync(join(dir, "nix-cache-info"), "StoreDir: /nix/store\n");
  writeFileSync(join(dir, `nar/${GOOD}.nar`), NAR);
  writeFileSync(join(dir, `${GOOD}.narinfo`), narInfo(GOOD));
  writeFileSync(join(dir, `${HASH}.narinfo`), narInfo(HASH, { URL: url }));
  const report = await imported(folderSource(dir));
  expect(report.imported).toEqual([`/nix/store/${GOOD}-name`]);
  expect(report.failed).toHaveLength(1);
});

test.each([
  ["no server", () => "http://127.0.0.1:59999", "network", "127.0.0.1:59999"],
  ["no cache", () => `${urlOf(server)}/nosuch`, "refused", "nix-cache-info: 404"],
  ["a web page", () => `${urlOf(server)}/page`, "refused", "is there a binary cache?"],
])(
  "from %s",
  async (_, url, kind, line) => {
    serving({ "/page/nix-cache-info": "<html>" });
    const attempt = importFrom(cache, url(), [], [HASH], options);
    await expect(attempt).rejects.toMatchObject({ kind, message: expect.stringContaining(line) });
  },
  30_000,
);

test("by way of a proxy that the environment names", async () => {
  const seen: string[] = [];
  answer = ({ url = "" }, response) => {
    seen.push(url);
    response.writeHead(404).end();
  };
  // For the whole process: a program of its own.
  const main = resolve(import.meta.dirname, "../../src/client/main.ts");
  const args = ["import", "http://old.invalid", "--url", "http://cache.invalid", `/nix/store/${GOOD}-name`];
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env.PATH, HOME: scratch, http_proxy: urlOf(server) },
  });
  const [code] = await once(child, "close");
  expect({ code, seen }).toEqual({ code: 4, seen: ["http://old.invalid/nix-cache-info"] });
});

test("with the certificates that the environment names, which must be readable", async () => {
  const absent = { ...env, NIX_SSL_CERT_FILE: join(scratch, "absent.pem") };
  const importing = importFrom(cache, urlOf(server), [], [GOOD], { ...options, env: absent });
  await expect(importing).rejects.toThrow("cannot read the certificates that NIX_SSL_CERT_FILE names");
});
