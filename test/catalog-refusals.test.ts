// Refusals of a catalog as the client gets them: the status, a message that names what is refused, and when to try again.
import { expect, it } from "vitest";
import { bucketFailure } from "../src/bucket/operation.ts";
import { Refused, toResult } from "../src/catalog/refuse.ts";
import { unwrap } from "../src/catalog-client.ts";
import type { Refusal } from "../src/contract/refusals.ts";
import { HttpError } from "../src/http/errors.ts";
import { r2Error } from "./support/bucket.ts";
import { captureLog } from "./support/log.ts";

captureLog();

type Kind = Refusal["kind"];
type Example<K extends Kind> = readonly [
  refusal: Omit<Extract<Refusal, { kind: K }>, "kind">,
  status: number,
  message: RegExp,
  retryAfter?: string,
];

const HASH = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv";
const path = `${HASH}-hello`;

/** A kind that is not here does not compile. */
const EXAMPLES: { readonly [K in Kind]: Example<K> } = {
  "precondition-failed": [{}, 412, /nothing was stored/],
  "no-such-path": [{ hash: HASH }, 404, new RegExp(HASH)],
  "no-such-pin": [{ name: "live" }, 404, /no pin live /],
  "no-such-token": [{}, 404, /GET \/api\/v1\/tokens/],
  "nothing-to-pin": [{ path }, 409, new RegExp(`^${path} is not in this cache; push it first`)],
  "minter-revoked": [{}, 403, /revoked/],
  "too-many-tokens": [{ name: "ci", count: 100 }, 429, /^100 tokens of the name ci /, "60"],
  "too-many-revoked-subjects": [{ count: 1000 }, 409, /^1000 subjects .* change TOKEN_SECRET/],
  referred: [
    { path, referrers: [`${HASH}-app`, HASH], more: true },
    409,
    new RegExp(`by ${HASH}-app, ${HASH}-\\(being published or deleted\\) and more; delete those first`),
  ],
  pinned: [{ path, pins: ["a", "b"], more: false }, 409, /by the pins a, b; DELETE/],
  "hash-taken": [
    { path, stored: `${HASH}-other` },
    409,
    new RegExp(`${path} cannot be published.*${HASH}-other`),
  ],
  "put-off": [{ path }, 503, new RegExp(`^${path}: .* try again`), "1"],
  "broken-nar": [{ path, nar: "nar/x", reason: "is not in this cache" }, 409, /the NAR nar\/x is not in/],
  "false-nar": [{ path, nar: "nar/x", reason: "is false" }, 400, /the NAR nar\/x is false$/],
  "unverifiable-nar": [
    { path, nar: "nar/x", reason: "no decoder" },
    400,
    /nar\/x cannot be verified \(no decoder\).*another compression$/,
  ],
  "being-verified": [{ path, nar: "nar/x" }, 503, /nar\/x is still being verified/, "20"],
  "unknown-references": [{ unknown: ["x"] }, 503, /have not been asked/, "1"],
  "missing-references": [{ path, missing: ["a", "b"], more: 3 }, 409, /: a, b and 3 more; push its whole/],
  "narinfo-too-large": [{ path, maxBytes: 7 }, 413, /larger than 7 bytes/],
  "realisation-too-large": [{ key: "realisations/x.doi", maxBytes: 7 }, 413, /larger than 7 bytes/],
  "untrusted-realisation": [
    { key: "realisations/x.doi", trusted: ["a-1", "b-1"] },
    403,
    /^realisations\/x\.doi has no .*\(a-1, b-1\); build it where secret-key-files/,
  ],
  "modified-concurrently": [{ key: "pins/live" }, 503, /^pins\/live was modified/, "1"],
  "not-indexed": [{}, 503, /POST \/api\/v1\/reindex/, "5"],
  "too-many-companions": [{ key: "debuginfo/x", owner: "nar/y", most: 512 }, 409, /nar\/y has 512/],
  "deletion-under-way": [{ path: "x-hello" }, 409, /GET \/api\/v1\/deletion/],
  "too-many-references": [{ path: "x-hello", count: 30_000, most: 20_000 }, 413, /at most 20000/],
  "being-migrated": [{ paths: 5 }, 503, /5 paths so far.*try again/, "60"],
  "being-indexed": [{}, 503, /GET \/api\/v1\/reindex/, "60"],
  "too-many-questions": [{}, 503, /try again/, "5"],
  misconfigured: [
    { consequence: "nothing is signed", problem: "PRIORITY: x" },
    403,
    /^nothing is signed until.*PRIORITY: x$/,
  ],
  "collection-under-way": [{}, 409, /GET \/api\/v1\/gc/],
  "key-still-signs": [{ key: "k-1" }, 409, /^k-1 signs/],
  "no-signing-key": [{}, 409, /SIGNING_KEY/],
  "bucket-failed": [{ operation: "list", reason: "unavailable" }, 503, /did not answer \(list\)/, "5"],
};

/** What the client of an operation gets that throws this. */
async function answerTo(error: unknown): Promise<[number, string, string | undefined]> {
  const result = await toResult(() => Promise.reject(error));
  try {
    await unwrap(async () => structuredClone(result));
  } catch (refusal) {
    if (!(refusal instanceof HttpError)) throw refusal;
    return [refusal.status, refusal.message, refusal.headers["Retry-After"]];
  }
  throw new Error("not refused");
}

it.each(Object.entries(EXAMPLES))("%s", async (kind, [data, status, message, retryAfter]) => {
  const refusal = { kind, ...data } as Refusal;
  expect(await answerTo(new Refused(refusal))).toEqual([status, expect.stringMatching(message), retryAfter]);
});

it.each([
  [10037, 400],
  [10013, 400],
  [100100, 413],
  [10001, 503],
])(
  "a bucket that fails with %i is told like a failure of the Worker's own operation",
  async (code, status) => {
    const failure = bucketFailure("put", r2Error("put", "It failed.", code));
    expect(failure.status).toBe(status);
    expect(await answerTo(failure)).toEqual([status, failure.message, failure.headers["Retry-After"]]);
  },
);

it("what is no refusal stays an error", async () => {
  await expect(toResult(() => Promise.reject(new Error("a defect")))).rejects.toThrow("a defect");
});
