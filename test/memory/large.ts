// The largest requests that the cache takes, and larger ones that it refuses.
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Operation } from "../budgets/budgets.ts";

export const TOKEN = "a-token-of-the-tests";

export interface Large {
  readonly what: string;
  readonly operation: Operation;
  readonly status: number;
  readonly method: "GET" | "PUT" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

const MIB = 1024 * 1024;
const HASH = "0123456789abcdfghijklmnpqrsvwxyz";
const STORE_PATH = `/nix/store/${HASH}-large`;
const SHA256 = "1".repeat(52);
/** Bytes of a file in a listing, as {@link entry} writes it, with its comma. */
const ENTRY_BYTES = 62;

const json = { "Content-Type": "application/json" };
const pusher = { Authorization: `Bearer ${TOKEN}` };
const brotli = { ...pusher, "Content-Encoding": "br" };
const plain = { "Accept-Encoding": "identity" };
const gzip = { ...pusher, "Content-Encoding": "gzip" };

const hash = (n: number) => n.toString(8).padStart(32, "0");
const missing = (count: number) =>
  JSON.stringify({ paths: Array.from({ length: count }, (_, n) => hash(n)) });
const entry = (n: number) =>
  `"${String(n).padStart(8, "0")}":{"type":"regular","size":1,"narOffset":${10_000_000 + n}}`;
const listing = (bytes: number) =>
  `{"version":1,"root":{"type":"directory","entries":{${Array.from({ length: Math.floor(bytes / ENTRY_BYTES) }, (_, n) => entry(n)).join()}}}}`;
const narinfo = (bytes: number) =>
  [
    ...[`StorePath: ${STORE_PATH}`, `URL: nar/${SHA256}.nar`, "Compression: none"],
    ...[`NarHash: sha256:${SHA256}`, "NarSize: 120", "References: "],
    ...Array.from({ length: Math.floor(bytes / 96) }, () => `Sig: a:${"A".repeat(86)}==`),
    "",
  ].join("\n");
const LISTING = listing(64 * MIB - 1000);
/** Of a path whose NAR is not there, with as many references as it may have. */
const referring = (n: number) =>
  [
    ...[`StorePath: /nix/store/${hash(n)}-large`, `URL: nar/${SHA256}.nar`, "Compression: none"],
    ...[`NarHash: sha256:${SHA256}`, "NarSize: 120"],
    `References: ${Array.from({ length: 20_000 }, (_, other) => `${hash(100 + other)}-a-reference`).join(" ")}`,
    "",
  ].join("\n");
const publishing = (paths: readonly object[]) => ({
  ...({ operation: "publishPaths", status: 200, method: "POST" } as const),
  ...{ path: "/api/v1/paths", headers: { ...json, ...pusher }, body: JSON.stringify({ paths }) },
});
const parts = Array.from(
  { length: 10_000 },
  (_, n) => `<Part><PartNumber>${n + 1}</PartNumber><ETag>"${"0".repeat(32)}"</ETag></Part>`,
);
const log = Buffer.alloc(31 * MIB, "another line of the log\n");
const bomb = Buffer.alloc(1024 * MIB);

export const LARGE: readonly Large[] = [
  {
    ...{ what: "1,000 hashes", operation: "missingForAnyone", status: 200 },
    ...{ method: "POST", path: "/api/v1/missing", headers: json, body: missing(1000) },
  },
  {
    ...{ what: "20,000 hashes", operation: "missing", status: 200 },
    ...{ method: "POST", path: "/api/v1/missing", headers: { ...json, ...pusher }, body: missing(20_000) },
  },
  ...[json, { ...json, ...pusher }].map(
    (headers): Large => ({
      ...{ what: `8 MB of [ (${Object.keys(headers)})`, operation: "missingForAnyone", status: 400 },
      ...{ method: "POST", path: "/api/v1/missing", headers, body: "[".repeat(8e6) },
    }),
  ),
  {
    ...{ what: "a token of 8 MB", operation: "exchange", status: 413 },
    ...{ method: "POST", path: "/api/v1/tokens/exchange", headers: json },
    body: JSON.stringify({ token: "a".repeat(8e6) }),
  },
  {
    ...{ what: "a narinfo of 1 MiB whose NAR is not there", operation: "push", status: 409 },
    ...{ method: "PUT", path: `/${HASH}.narinfo`, headers: pusher, body: narinfo(MIB - 1000) },
  },
  {
    what: "four narinfos of 20,000 references each, whose NARs are not there",
    ...publishing(Array.from({ length: 4 }, (_, n) => ({ narinfo: referring(n) }))),
  },
  {
    what: "fifty narinfos with as many signatures and as large a listing as fit",
    ...publishing(
      Array.from({ length: 50 }, () => ({ narinfo: narinfo(64 * 96), listing: listing(50_000) })),
    ),
  },
  {
    ...{ what: "a listing as large as it may be", operation: "metadata", status: 201 },
    ...{ method: "PUT", path: `/${HASH}.ls`, headers: pusher, body: LISTING },
  },
  {
    ...{ what: "a listing of brackets", operation: "metadata", status: 400 },
    ...{ method: "PUT", path: `/${HASH}.ls`, headers: pusher, body: "[".repeat(16 * MIB) },
  },
  {
    ...{ what: "a listing as large as it may be, in brotli", operation: "metadata", status: 201 },
    ...{
      method: "PUT",
      path: `/${HASH}.ls`,
      headers: brotli,
      body: fast(Buffer.from(LISTING)),
    },
  },
  {
    ...{ what: "a listing that unpacks to 1 GiB, which is left out", operation: "metadata", status: 200 },
    ...{ method: "PUT", path: `/${HASH}.ls`, headers: brotli, body: fast(bomb) },
  },
  {
    ...{ what: "a log that unpacks to 1 GiB", operation: "metadata", status: 413 },
    ...{
      method: "PUT",
      path: `/log/${HASH}-a.drv`,
      headers: gzip,
      body: new Uint8Array(gzipSync(bomb, { level: 1 })),
    },
  },
  {
    ...{ what: "a log as large as it may be", operation: "metadata", status: 201 },
    ...{ method: "PUT", path: `/log/${HASH}-a.drv`, headers: brotli, body: fast(log) },
  },
  {
    ...{ what: "that log, which anybody would have unpacked", operation: "read", status: 406 },
    ...{ method: "GET", path: `/log/${HASH}-a.drv`, headers: plain },
  },
  {
    ...{ what: "that log, unpacked for a pusher", operation: "readByPusher", status: 200 },
    ...{ method: "GET", path: `/log/${HASH}-a.drv`, headers: { ...plain, ...pusher } },
  },
  {
    ...{ what: "a completion of 10,000 parts", operation: "complete", status: 404 },
    ...{ method: "POST", path: `/nar/${SHA256}.nar?uploadId=none`, headers: pusher },
    body: `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`,
  },
];

function fast(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }));
}
