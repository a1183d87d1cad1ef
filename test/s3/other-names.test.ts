/** Caches as other programs wrote them: a NAR under another name than Nix's is stored under that, and its narinfo, too. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { narNamed, saveNarName } from "../../src/catalog/rows/nar-names.ts";
import type { NarInfo } from "../../src/nix/narinfo.ts";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { watch } from "../support/bucket.ts";
import { type Answer, cacheWith, keys } from "../support/cache.ts";
import { inCatalog } from "../support/runs.ts";
import { BUCKET, codeOf, s3Client } from "../support/s3.ts";
import { bytesOf, compressed, narKeyOf, pathOfNar, sha256, testPath } from "../support/store-paths.ts";
import { elementOf, largeNar } from "../support/upload.ts";

afterEach(reset);

const cache = cacheWith();
const s3 = s3Client(cache);
const plain = await testPath();
const zstd = await compressed(plain);
const gzip = new Uint8Array(gzipSync(plain.nar));
const hex = (await sha256(zstd.nar)).bytes.toHex();
const narHash = encodeNix32((await sha256(plain.nar)).bytes);
const gzipHash = encodeNix32((await sha256(gzip)).bytes);
const { hash } = plain.info.storePath;

/** The narinfo of the program: without the hash of the file, where it writes none. */
function narInfoAs(path: typeof plain, url: string, changes: readonly string[] = []): string {
  const lines = path.text.split("\n").filter((line) => !changes.some((name) => line.startsWith(`${name}:`)));
  return lines.join("\n").replace(/^URL: .*$/m, `URL: ${url}`);
}

/** As a client that signs the body. */
async function putNar(name: string, nar: Uint8Array<ArrayBuffer>): Promise<Answer> {
  return s3("PUT", `${BUCKET}/${name}`, { body: nar, sha256: (await sha256(nar)).bytes.toHex() });
}

const UNKNOWN_FILE = ["FileHash", "FileSize"];
const gzipPath = {
  ...plain,
  nar: gzip,
  text: plain.text.replace("Compression: none", "Compression: gzip"),
};
const PROGRAMS: [
  program: string,
  name: string,
  nar: Uint8Array<ArrayBuffer>,
  narinfo: string,
  key: string,
][] = [
  ["Cachix", `nar/${hex}.nar.zst`, zstd.nar, narInfoAs(zstd, `nar/${hex}.nar.zst`), zstd.narKey],
  [
    "attic",
    `nar/${hash}.nar`,
    zstd.nar,
    narInfoAs(zstd, `nar/${hash}.nar`, UNKNOWN_FILE),
    await narKeyOf(zstd.nar),
  ],
  [
    "nix-serve",
    `nar/${hash}-${narHash}.nar`,
    plain.nar,
    narInfoAs(plain, `nar/${hash}-${narHash}.nar`, UNKNOWN_FILE),
    plain.narKey,
  ],
  [
    ".nar.gz",
    `nar/${gzipHash}.nar.gz`,
    gzip,
    narInfoAs(gzipPath, `nar/${gzipHash}.nar.gz`, UNKNOWN_FILE),
    await narKeyOf(gzip),
  ],
  [
    "any other",
    "nar/some/folder/archive",
    plain.nar,
    narInfoAs(plain, "nar/some/folder/archive"),
    plain.narKey,
  ],
];

describe.each(PROGRAMS)("as %s wrote it", (_, name, nar, narinfo, key) => {
  test("NAR and narinfo get the names of Nix, and readers see those alone", async () => {
    const put = await putNar(name, nar);
    expect([put.status, put.text]).toEqual([200, ""]);
    expect(await keys()).toEqual([key]);
    const published = await s3("PUT", `${BUCKET}/${plain.key}`, { body: narinfo });
    expect(published.status, published.text).toBe(200);
    const { text } = await cache.get(`/${plain.key}`);
    expect(text).toContain(`\nURL: ${key}\n`);
    expect((await cache.get(`/${key}`)).bytes).toEqual(nar);
    expect((await cache.get(`/${name}`)).status).toBe(404);
    // Again, as by the next run of the tool: nothing changes.
    expect((await putNar(name, nar)).headers.get("ETag")).toBe(put.headers.get("ETag"));
    expect((await s3("PUT", `${BUCKET}/${plain.key}`, { body: narinfo })).status).toBe(200);
    expect((await cache.get(`/${plain.key}`)).text).toBe(text);
    expect(await keys()).toEqual([plain.key, key].sort());
  });

  test("its pusher finds the NAR by the name that was sent", async () => {
    const put = await putNar(name, nar);
    for (const method of ["HEAD", "GET"]) {
      const found = await s3(method, `${BUCKET}/${name}`);
      expect([found.status, found.headers.get("ETag")]).toEqual([200, put.headers.get("ETag")]);
    }
    const stranger = s3Client(cache, { secret: "wrong" });
    expect((await stranger("HEAD", `${BUCKET}/${name}`)).status).toBe(404);
  });

  test("another body than was announced is refused, and stores nothing", async () => {
    const headers = { "x-amz-checksum-sha256": (await sha256(nar)).bytes.toBase64() };
    const put = await cache.put(`/${name}`, bytesOf("another"), headers);
    expect([put.status, await keys()]).toEqual([400, []]);
  });

  test("the narinfo waits for its NAR", async () => {
    expect(codeOf(await s3("PUT", `${BUCKET}/${plain.key}`, { body: narinfo }))).toMatch(/^409/);
    expect(await keys()).toEqual([]);
  });
});

test("without a signature the hash comes as a checksum", async () => {
  const headers = { "x-amz-checksum-sha256": (await sha256(plain.nar)).bytes.toBase64() };
  expect((await cache.put("/nar/x.nar", plain.nar, headers)).status).toBe(201);
  expect(await keys()).toEqual([plain.narKey]);
});

test("a NAR whose hash is not known is refused, with what to do", async () => {
  for (const put of [
    await cache.put("/nar/x.nar", plain.nar),
    await s3("PUT", `${BUCKET}/nar/x.nar`, { body: plain.nar }),
  ]) {
    expect(put.status).toBe(400);
    expect(put.text).toContain("x-amz-checksum-sha256");
  }
  expect(await keys()).toEqual([]);
});

test("in parts where the name has the hash", async () => {
  const nar = await largeNar();
  const name = `nar/${(await sha256(nar.bytes)).bytes.toHex()}.nar`;
  const begun = await s3("POST", `${BUCKET}/${name}`, { query: "uploads" });
  const upload = `uploadId=${encodeURIComponent(elementOf(begun.text, "UploadId") ?? "")}`;
  const list: string[] = [];
  for (const [index, body] of nar.parts.entries()) {
    const query = `partNumber=${index + 1}&${upload}`;
    const { headers } = await s3("PUT", `${BUCKET}/${name}`, { query, body });
    list.push(`<Part><PartNumber>${index + 1}</PartNumber><ETag>${headers.get("ETag")}</ETag></Part>`);
  }
  const body = `<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`;
  const done = await s3("POST", `${BUCKET}/${name}`, { query: upload, body });
  expect([done.status, elementOf(done.text, "Key")], done.text).toEqual([200, name]);
  // A client without an answer asks again.
  expect(await s3("POST", `${BUCKET}/${name}`, { query: upload, body })).toEqual(done);
  expect(await keys()).toEqual([nar.key]);
  const path = await pathOfNar(nar.bytes, plain.info.storePath.baseName, { url: name } as Partial<NarInfo>);
  expect((await cache.put(`/${path.key}`, path.text)).status).toBe(201);
  expect((await cache.get(`/${path.key}`)).text).toContain(`\nURL: ${nar.key}\n`);
  expect((await s3("POST", `${BUCKET}/nar/x.nar`, { query: "uploads" })).status).toBe(400);
});

test("a narinfo of what the bucket has under that name already stays as it is", async () => {
  await env.BUCKET.put("nar/x.nar", plain.nar);
  expect((await cache.put(`/${plain.key}`, narInfoAs(plain, "nar/x.nar"))).status).toBe(201);
  expect((await cache.get(`/${plain.key}`)).text).toContain("\nURL: nar/x.nar\n");
});

test("NARs with the names of Nix cost what they did, and so do those that nobody has sent", async () => {
  const watched = watch(env.BUCKET);
  const on = cacheWith({ BUCKET: watched.bucket });
  expect((await s3Client(on)("GET", `${BUCKET}/${plain.narKey}`)).status).toBe(404);
  expect((await on.get("/nar/x.nar")).status).toBe(404);
  expect([watched.billed(), on.catalog.calls]).toEqual([{ A: 0, B: 2 }, []]);
});

test("names are forgotten a week after", async () => {
  const day = 24 * 60 * 60 * 1000;
  await inCatalog((c) => {
    const at = (days: number) => ({ ...c, now: () => days * day });
    for (const index of [1, 2, 3, 4, 5, 6]) saveNarName(at(0), `nar/${index}`, "nar/one");
    saveNarName(at(6), "nar/1", "nar/two");
    expect(narNamed(at(6), "nar/1")).toBe("nar/two");
    expect(narNamed(at(6), "nar/2")).toBe("nar/one");
    expect(narNamed(at(8), "nar/2")).toBeUndefined();
    for (const index of [7, 8]) saveNarName(at(8), `nar/${index}`, "nar/one");
    expect(c.sql.exec("SELECT name FROM nar_names ORDER BY name").toArray()).toEqual(
      ["nar/1", "nar/7", "nar/8"].map((name) => ({ name })),
    );
  });
});
