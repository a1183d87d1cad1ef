// Attacks by the content of a request: narinfos, compressed bodies, JSON, XML, parameters.
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { ADMIN, type Attack, HASH, MIB, NAR, PUSH, post, put } from "./attack.ts";
import { head } from "./raw.ts";

const NARINFO = `StorePath: /nix/store/${HASH}-a\nURL: ${NAR}\nNarHash: sha256:${NAR.slice(4, -4)}\nNarSize: 1\n`;
const BOMB = Buffer.alloc(256 * MIB);
const BOMBS = [
  ["br", brotliCompressSync],
  ["gzip", gzipSync],
  ["zstd", zstdCompressSync],
] as const;
const KINDS = [`/${HASH}.narinfo`, `/${HASH}.ls`, `/log/${HASH}-a.drv`];

const BODIES: Attack[] = [
  ...["\0", "\u001b[2J", "\u202e", "\r", "\u0085"].flatMap((character) =>
    ["Sig: a", "X", "Deriver", "References", "URL", "CA"].map((key) => ({
      name: `a narinfo with ${JSON.stringify(character)} in ${key}`,
      bytes: put(`/${HASH}.narinfo`, Buffer.from(`${NARINFO}${key}: ${character}x\n`)),
    })),
  ),
  { name: "a narinfo of no UTF-8", bytes: put(`/${HASH}.narinfo`, Buffer.from([0xff, 0xfe, 0x0a])) },
  { name: "a narinfo of two mebibytes", bytes: put(`/${HASH}.narinfo`, Buffer.alloc(2 * MIB, "X: y\n")) },
  {
    name: "a narinfo of a mebibyte of references",
    bytes: put(`/${HASH}.narinfo`, `${NARINFO}References: ${`${HASH}-b `.repeat(20_000)}\n`),
  },
  {
    name: "a narinfo of a mebibyte of colons",
    bytes: put(`/${HASH}.narinfo`, Buffer.alloc(MIB - 10, ":")),
  },
  ...BOMBS.flatMap(([coding, compress]) => {
    const bomb = compress(BOMB);
    return KINDS.map((path) => ({
      name: `a bomb of ${coding} at ${path}`,
      bytes: put(path, bomb, { "Content-Encoding": coding }),
      // A listing is acknowledged and left out.
      ...(path.endsWith(".ls") && { answer: [200] }),
    }));
  }),
  {
    name: "a bomb in a bomb",
    bytes: put(`/log/${HASH}-a.drv`, gzipSync(gzipSync(BOMB)), { "Content-Encoding": "gzip, gzip" }),
  },
  ...["gzip", "br", "zstd"].map((coding) => ({
    name: `${coding} that is none`,
    bytes: put(`/log/${HASH}-a.drv`, "hello", { "Content-Encoding": coding }),
  })),
  {
    name: "gzip that ends early",
    bytes: put(`/log/${HASH}-a.drv`, gzipSync("hello").subarray(0, 15), { "Content-Encoding": "gzip" }),
  },
  ...["xz", "identity", "gzip;q=1", "../x", "", "constructor"].map((coding) => ({
    name: `the coding ${JSON.stringify(coding)}`,
    bytes: put(`/${HASH}.ls`, "{", { "Content-Encoding": coding }),
  })),
  { name: "a listing of brackets", bytes: put(`/${HASH}.ls`, "[".repeat(MIB)) },
  { name: "a listing that nests", bytes: put(`/${HASH}.ls`, `${"[".repeat(MIB)}${"]".repeat(MIB)}`) },
  { name: "a realisation of null", bytes: put(`/realisations/sha256:${"0".repeat(64)}!out.doi`, "null") },
];

const UPLOAD = "00000000-0000-0000-0000-000000000000.x";
const LAUGHS = `<!DOCTYPE a [${"abcdefghi"
  .split("")
  .map((name, index, all) => `<!ENTITY ${name} "${`&${all[index - 1] ?? "x"};`.repeat(10)}">`)
  .join("")}]><CompleteMultipartUpload>&i;</CompleteMultipartUpload>`;

const S3: Attack[] = [
  ...[
    LAUGHS,
    '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><CompleteMultipartUpload>&e;</CompleteMultipartUpload>',
    `<CompleteMultipartUpload>${"<Part>".repeat(100_000)}`,
    `<CompleteMultipartUpload>${"<Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>".repeat(20_000)}`,
    `<CompleteMultipartUpload><Part>${"<ChecksumA/>".repeat(200_000)}`,
    `<CompleteMultipartUpload xmlns=${" ".repeat(MIB)}`,
    "<".repeat(MIB),
    " ".repeat(MIB),
    `<?xml ${"?".repeat(MIB)}`,
    "",
  ].map((body) => ({
    name: `the list of parts ${body.slice(0, 50)}`,
    bytes: post(`/${NAR}?uploadId=${UPLOAD}`, body, PUSH),
  })),
  ...[
    `uploads&uploads&uploadId=${UPLOAD}`,
    `uploadId=${UPLOAD}&uploadId=x`,
    "uploadId=",
    "uploadId",
    "uploadId=%00",
    `uploadId=${"a".repeat(10_000)}`,
    "uploadId=../../x",
  ].map((query) => ({
    name: `completion of ?${query.slice(0, 60)}`,
    bytes: post(`/nar/x.nar?${query}`, "<CompleteMultipartUpload/>", PUSH),
  })),
  ...["0", "-1", "10001", "1e3", "", "x", "1&partNumber=2", "%00"].map((number) => ({
    name: `part ${number}`,
    bytes: put(`/${NAR}?partNumber=${number}&uploadId=${UPLOAD}`, "x"),
  })),
  ...["max-keys=-1", "max-keys=x", "max-keys=1e9", "max-keys=99999999999999999999"].map((query) => ({
    name: `a listing of ${query}`,
    bytes: head(`GET /nix-cache?list-type=2&${query}`, PUSH),
  })),
  ...[
    "continuation-token=x",
    "continuation-token=%00",
    "continuation-token=bm90IGEgY3Vyc29y",
    `continuation-token=${"a".repeat(3000)}`,
    `continuation-token=${encodeURIComponent("é\u202e")}`,
  ].map((query) => ({
    name: `a listing of ${query.slice(0, 50)}`,
    bytes: head(`GET /nix-cache?list-type=2&${query}`, PUSH),
    answer: [200, 400],
  })),
  ...[
    `prefix=${"a".repeat(3000)}`,
    `start-after=${"a".repeat(3000)}`,
    `delimiter=${"a".repeat(3000)}`,
    "prefix=%00",
    "prefix=%ff",
    "prefix=..%2f..%2f",
    "delimiter=%00",
    "prefix=uploads/",
    "prefix=pins/",
    "prefix=a&prefix=b",
    "max-keys=0",
  ].map((query) => ({
    name: `a listing of ${query.slice(0, 50)}`,
    bytes: head(`GET /nix-cache?list-type=2&${query}`, PUSH),
    answer: [200, 400],
  })),
  {
    name: "a listing from a wrong marker",
    bytes: head("GET /nix-cache?marker=cursor:x&prefix=a", PUSH),
    answer: [200, 400],
  },
];

const API: Attack[] = [
  ...["/missing", "/gc", "/tokens", "/tokens/exchange"].flatMap((path) =>
    [
      "[".repeat(10_000),
      `${"[".repeat(7000)}${"]".repeat(7000)}`,
      `{"a":${'{"a":'.repeat(2000)}1${"}".repeat(2001)}`,
      `{"paths":${"[".repeat(5000)}${"]".repeat(5000)}}`,
      '{"__proto__":{"paths":[]},"x":1}',
      '{"constructor":{"prototype":{}}}',
      '{"older_than_days":1e400,"keep":-0,"x":123456789012345678901234567890}',
      '{"paths":["\\ud800"]}',
      '"a"',
      "nul",
      "\xff\xfe",
    ].map((body) => ({
      name: `POST ${path} of ${JSON.stringify(body.slice(0, 40))} (${body.length})`,
      bytes: post(`/api/v1${path}`, body),
    })),
  ),
  {
    name: "missing of eight mebibytes of brackets",
    bytes: post("/api/v1/missing", `{"paths":[${"[".repeat(4 * MIB - 100)}${"]".repeat(4 * MIB - 100)}]}`),
  },
  { name: "missing of nine mebibytes", bytes: post("/api/v1/missing", " ".repeat(9 * MIB)) },
  {
    name: "missing of 20,001 paths",
    bytes: post("/api/v1/missing", JSON.stringify({ paths: Array.from({ length: 20_001 }, () => HASH) })),
  },
  ...[
    ...["cursor=x", "cursor=%00", `cursor=${"A".repeat(5000)}`, "limit=0", "limit=1e3", "limit=-1", "limit="],
    ...["limit=1&limit=2", "x=y", "__proto__=x", `search=${"a".repeat(5000)}`],
  ].map((query) => ({
    name: `paths of ${query.slice(0, 40)}`,
    bytes: head(`GET /api/v1/paths?${query}`, ADMIN),
  })),
  ...["..", "a%2fb", "%00", "a".repeat(500), "constructor", "__proto__", "a%0d%0ab"].map((name) => ({
    name: `the pin ${name.slice(0, 40)}`,
    bytes: [head(`PUT /api/v1/pins/${name}`, { ...ADMIN, "Content-Length": 2 }), "{}"],
  })),
];

export const CONTENT_ATTACKS: readonly Attack[] = [...BODIES, ...S3, ...API];
