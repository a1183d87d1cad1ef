// Attacks by the request itself: its target, its framing, its host, its credentials, its conditions.
import { ADMIN, type Attack, BEFORE_THE_WORKER, HASH, MIB, NAR, PUSH, put } from "./attack.ts";
import { head } from "./raw.ts";

const PATHS = [
  `/log%2f${HASH}-a.drv`,
  `/log/..%2flog/${HASH}-a.drv`,
  `/log/%2e%2e%2f${HASH}-a.drv`,
  `/log/${HASH}-a.drv%00`,
  `/log/${HASH}-a.drv%00.txt`,
  `/log/${HASH}-a%0d%0aX-Evil:%20yes.drv`,
  `/log/${HASH}-a%0aX.drv`,
  `/log/${HASH}-%e2%80%ae.drv`,
  `/log/${HASH}-\u00e9.drv`,
  `/log/%5c${HASH}-a.drv`,
  `/log%5c${HASH}-a.drv`,
  `/log//${HASH}-a.drv`,
  `//log/${HASH}-a.drv`,
  `/log/${HASH}-a.drv/`,
  `/log/;/${HASH}-a.drv`,
  `/log/%252e%252e/${HASH}-a.drv`,
  `/log/%c0%ae%c0%ae/${HASH}-a.drv`,
  `/log/%u002e/${HASH}-a.drv`,
  `/log/${HASH}-a.drv%`,
  `/log/${HASH}-a.drv%2`,
  `/log/${HASH}-a.drv%zz`,
  `/log/${HASH}-${"a".repeat(5000)}.drv`,
  `/log/${HASH}-${"%61".repeat(2000)}.drv`,
  `/log/${HASH}-a b.drv`,
  `/nix-cache/../../../../etc/passwd`,
  `/nix-cache/uploads/x`,
  `/nix-cache/pins/x`,
  "/uploads/00000000-0000-0000-0000-000000000000/x",
  "/pins/x",
  "/nar/../uploads/x",
  "/nar/..%5c..%5cx",
  "/nar/%2e%2e/x",
  "/nar/x",
  "/nar/",
  "/nar",
  `/${NAR}/../x`,
  `/${NAR.toUpperCase()}`,
  `/${HASH.toUpperCase()}.narinfo`,
  `/${HASH}.narinfo%00`,
  `/${HASH}%2enarinfo/`,
  `/realisations/sha256:${"0".repeat(64)}!..%2f.doi`,
  `/realisations/sha256:${"0".repeat(64)}%21%00.doi`,
  `/build-trace-v2/${HASH}-a.drv/../../x.doi`,
  "/debuginfo/../x",
  `/debuginfo/${"g".repeat(40)}.debug`,
  "/constructor",
  "/__proto__",
  "/__proto__/nix-cache-info",
  "/cdn-cgi/x",
  "/.git/config",
];

const SMUGGLING: Attack[] = [
  {
    name: "two lengths",
    bytes: [head("PUT /pins/x", { ...PUSH, "Content-Length": ["5", "6"] }), "hello!"],
  },
  {
    name: "one length twice, on a log",
    bytes: [head(`PUT /log/${HASH}-a.drv`, { ...PUSH, "Content-Length": ["5", "50"] }), "hello"],
  },
  { name: "a length with a sign", bytes: put(`/log/${HASH}-a.drv`, "hello", { "Content-Length": "+5" }) },
  { name: "a length in hex", bytes: put(`/log/${HASH}-a.drv`, "hello", { "Content-Length": "0x5" }) },
  { name: "a negative length", bytes: put(`/log/${HASH}-a.drv`, "hello", { "Content-Length": "-5" }) },
  { name: "a list of lengths", bytes: put(`/log/${HASH}-a.drv`, "hello", { "Content-Length": "5, 5" }) },
  {
    name: "a length that no computer has",
    bytes: put(`/log/${HASH}-a.drv`, "hello", { "Content-Length": "9".repeat(40) }),
  },
  {
    name: "a length and chunks",
    bytes: [
      head("PUT /pins/x", { ...PUSH, "Content-Length": 4, "Transfer-Encoding": "chunked" }),
      "0\r\n\r\n",
      head("GET /health"),
    ],
  },
  {
    name: "chunks of an unknown coding",
    bytes: [head(`PUT /log/${HASH}-a.drv`, { ...PUSH, "Transfer-Encoding": "xchunked" }), "0\r\n\r\n"],
  },
  {
    name: "chunks twice",
    bytes: [
      head(`PUT /log/${HASH}-a.drv`, { ...PUSH, "Transfer-Encoding": ["chunked", "identity"] }),
      "0\r\n\r\n",
    ],
  },
  {
    name: "a chunk whose size is no number",
    bytes: [head(`PUT /log/${HASH}-a.drv`, { ...PUSH, "Transfer-Encoding": "chunked" }), "zz\r\nhello\r\n"],
    answer: BEFORE_THE_WORKER,
  },
  {
    name: "a chunk of 2^64 bytes",
    bytes: [
      head(`PUT /log/${HASH}-a.drv`, { ...PUSH, "Transfer-Encoding": "chunked" }),
      "10000000000000000\r\nhello\r\n0\r\n\r\n",
    ],
    answer: BEFORE_THE_WORKER,
  },
  {
    name: "a NAR in chunks",
    bytes: [head(`PUT /${NAR}`, { ...PUSH, "Transfer-Encoding": "chunked" }), "1\r\nx\r\n0\r\n\r\n"],
  },
  {
    name: "a folded header",
    bytes: `GET /health HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\nConnection: close\r\n\r\n`,
  },
  {
    name: "a space before the colon",
    bytes: `GET /health HTTP/1.1\r\nHost : h\r\nConnection: close\r\n\r\n`,
  },
  {
    name: "a NUL in a header",
    bytes: `GET /health HTTP/1.1\r\nHost: h\r\nX: a\0b\r\nConnection: close\r\n\r\n`,
  },
  { name: "no header at all but a line", bytes: "GET /health HTTP/1.1\r\nnonsense\r\n\r\n" },
  { name: "no HTTP", bytes: "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 hello\r\n\r\n" },
  { name: "HTTP/2 without agreement", bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", answer: BEFORE_THE_WORKER },
  { name: "a header of a mebibyte", bytes: head("GET /nix-cache-info", { X: "a".repeat(MIB) }) },
  {
    name: "a hundred thousand headers",
    bytes: head("GET /nix-cache-info", { X: Array.from({ length: 100_000 }, () => "a") }),
  },
  { name: "a target of a mebibyte", bytes: head(`GET /${"a".repeat(MIB)}`) },
  { name: "a method of its own", bytes: head("EVIL /nix-cache-info"), answer: BEFORE_THE_WORKER },
  { name: "TRACE", bytes: head("TRACE /nix-cache-info") },
  { name: "CONNECT", bytes: head("CONNECT evil.example:80"), answer: BEFORE_THE_WORKER },
  { name: "OPTIONS of everything", bytes: head("OPTIONS *"), answer: BEFORE_THE_WORKER },
  {
    name: "PATCH of a log",
    bytes: [head(`PATCH /log/${HASH}-a.drv`, { ...PUSH, "Content-Length": 1 }), "x"],
  },
];

const OVERRIDES: Attack[] = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"].map((name) => ({
  name: `${name}: PUT`,
  bytes: [head(`POST /log/${HASH}-a.drv`, { ...PUSH, [name]: "PUT", "Content-Length": 1 }), "x"],
}));

const HOSTS: Attack[] = [
  ...["", "evil.example", "a/../..", "user:push@h", "é"].map((host) => ({ host })),
  ...["[::1", "a b", "127.0.0.1:99999"].map((host) => ({ host, answer: BEFORE_THE_WORKER })),
].map(({ host, ...expected }) => ({
  name: `the host ${JSON.stringify(host)}`,
  bytes: [head("PUT /pins/x", { Host: host, ...PUSH, "Content-Length": 1 }), "x"],
  ...expected,
}));

const CREDENTIALS: Attack[] = [
  ...[
    ...["Bearer", "Bearer ", "Basic", "Basic !", "Basic cHVzaA==", "Digest push", "push", "Bearer push push"],
    ...["Bearer pus", "Bearer pushx", "Bearer push,Bearer push", `Bearer ${"a".repeat(30_000)}`],
    ...[
      "Bearer eyJhbGciOiJub25lIn0.e30.",
      "Bearer ..",
      "AWS4-HMAC-SHA256",
      "AWS4-HMAC-SHA256 Credential=///",
    ],
    ...[
      "AWS4-HMAC-SHA256 Credential=a/20260101/auto/s3/aws4_request,SignedHeaders=host,Signature=0",
      "Bearer \u00e9",
    ],
  ].map((value) => ({
    name: `the credential ${value.slice(0, 60)}`,
    bytes: put(`/log/${HASH}-a.drv`, "hello", { Authorization: value }),
  })),
  {
    name: "a credential twice",
    bytes: put(`/log/${HASH}-a.drv`, "x", { Authorization: ["Bearer x", "Bearer y"] }),
  },
  {
    name: "a credential in the target",
    bytes: [head(`PUT http://push:push@h/log/${HASH}-a.drv`, { "Content-Length": 1 }), "x"],
  },
  {
    name: "a credential in the query",
    bytes: [head(`PUT /log/${HASH}-a.drv?token=push&access_token=push`, { "Content-Length": 1 }), "x"],
  },
  {
    name: "a signed URL that is none",
    bytes: put(`/${NAR}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0&X-Amz-Signature=1`, "x", {
      Authorization: undefined,
    }),
  },
];

/** Answered as if nothing had been asked: a server may ignore these (RFC 9110, 13.1, 14.2). */
const IGNORED: Attack[] = [
  ...[
    `bytes=${Array.from({ length: 5000 }, (_, index) => `${index}-`).join(",")}`,
    "bytes=0-,0-,0-,0-",
    "bytes=9-1",
    "bytes=-",
    "bytes=a-b",
    "lines=1-2",
    "bytes=-\u00e9",
    `bytes=${"9".repeat(1000)}-${"9".repeat(1000)}`,
    `bytes=0-${"9".repeat(1000)}`,
    `bytes=-${"9".repeat(1000)}`,
    "bytes=-0",
    "bytes=18446744073709551615-",
  ].map((range) => ({
    name: `the range ${range.slice(0, 40)}`,
    bytes: head("GET /nix-cache-info", { Range: range }),
    answer: [200, 206, 416],
  })),
  ...["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"].flatMap((name) =>
    ["", "*", '"', "W/", `"${'a",'.repeat(5000)}`, "\u00e9", "Thu, 99 Foo 0000 99:99:99 GMT", "-1"].map(
      (value) => ({
        name: `${name}: ${value.slice(0, 30)}`,
        bytes: head("GET /nix-cache-info", { [name]: value, Range: "bytes=0-1" }),
        answer: [200, 206, 304, 412, 416],
      }),
    ),
  ),
];

export const HTTP_ATTACKS: readonly Attack[] = [
  ...PATHS.flatMap((path) => [
    { name: `PUT ${path.slice(0, 100)}`, bytes: put(path, "hello") },
    { name: `GET ${path.slice(0, 100)}`, bytes: head(`GET ${path}`) },
    { name: `DELETE ${path.slice(0, 100)}`, bytes: head(`DELETE ${path}`, ADMIN) },
  ]),
  ...SMUGGLING,
  ...OVERRIDES,
  ...HOSTS,
  ...CREDENTIALS,
  ...IGNORED,
];
