/** Content-addressed paths need no signature where keys are trusted: their content is verified. */
import { reset } from "cloudflare:test";
import { afterEach, expect, test } from "vitest";
import { storePathOfContentAddress } from "../../../src/nix/content-address.ts";
import { fingerprint } from "../../../src/nix/fingerprint.ts";
import { formatHash } from "../../../src/nix/hash.ts";
import { generateSecretKey, parseSecretKey, sign } from "../../../src/nix/keys.ts";
import { formatNarInfo } from "../../../src/nix/narinfo.ts";
import { storePathOfBaseName } from "../../../src/nix/store-path.ts";
import contentAddresses from "../../fixtures/content-addresses.json";
import { cacheWith, OPEN } from "../../support/cache.ts";
import { HASH } from "../../support/objects.ts";
import { expectRefusal } from "../../support/refusal.ts";
import { pathOfNar, push, type TestPath, testPath } from "../../support/store-paths.ts";

afterEach(reset);

const TRUSTED = await generateSecretKey("trusted-1");
const cache = cacheWith({ TRUSTED_PUBLIC_KEYS: TRUSTED.public });

/** A source tree as `nix-store --add` makes it: its name follows from its NAR's hash. */
async function sourcePath(name: string, contents: string): Promise<TestPath> {
  const path = await testPath(name, contents, { references: [] });
  const ca = `fixed:r:${formatHash(path.info.narHash)}`;
  const baseName = await storePathOfContentAddress(ca, name, [], "/nix/store");
  if (baseName === undefined) throw new Error("no content address");
  const info = { ...path.info, ca, storePath: storePathOfBaseName(baseName, "/nix/store") };
  return { ...path, key: `${info.storePath.hash}.narinfo`, info, text: formatNarInfo(info) };
}

test("published without a signature", async () => {
  const path = await sourcePath("source", "a source tree");
  expect((await push(cache, path)).status).toBe(201);
  expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
});

test.each(contentAddresses)("of real Nix: $ca, $baseName", async ({ baseName, ca, references, nar }) => {
  const path = await pathOfNar(Uint8Array.fromBase64(nar), baseName, { ca, references });
  // Their references are missing, hence OPEN, which does not relax the check of signatures.
  const open = cacheWith({ TRUSTED_PUBLIC_KEYS: TRUSTED.public, ...OPEN });
  expect((await push(open, path)).status).toBe(201);
});

test.each<[string, (path: TestPath) => string]>([
  ["a content address that is none", (path) => formatNarInfo({ ...path.info, ca: "fixed:r:nonsense" })],
  [
    "a content address of another content",
    (path) => formatNarInfo({ ...path.info, ca: `fixed:r:sha256:${"0".repeat(52)}` }),
  ],
  [
    "another method",
    (path) => formatNarInfo({ ...path.info, ca: (path.info.ca ?? "").replace("fixed:r:", "text:") }),
  ],
  [
    "references that the name does not have",
    (path) => formatNarInfo({ ...path.info, references: [`${HASH}-evil`] }),
  ],
])(
  "%s: 400, whomever the cache trusts: clients fail on it, and no signature covers it",
  async (_, textOf) => {
    const path = await sourcePath("source", "a source tree");
    for (const any of [cache, cacheWith()]) expectRefusal(await push(any, path, textOf(path)), 400);
  },
);

test("an input-addressed path that claims to be one: 400", async () => {
  const path = await testPath("claims", "claims", { references: [] });
  const ca = `fixed:r:${formatHash(path.info.narHash)}`;
  expectRefusal(await push(cache, path, formatNarInfo({ ...path.info, ca })), 400);
});

test("the right address over another archive: 400", async () => {
  const path = await sourcePath("source", "a source tree");
  const other = await testPath("source", "poison");
  const { url, narHash, narSize, fileHash, fileSize } = other.info;
  const poisoned = {
    ...path.info,
    url,
    narHash,
    narSize,
    ...(fileHash && { fileHash }),
    ...(fileSize && { fileSize }),
  };
  await cache.put(`/${other.narKey}`, other.nar);
  expectRefusal(await cache.put(`/${path.key}`, formatNarInfo(poisoned)), 400);
});

test("a false claim is refused with a trusted signature, too: it signs no address", async () => {
  const path = await testPath("signed", "signed", { ca: "fixed:r:nonsense" });
  const signature = await sign(await parseSecretKey(TRUSTED.secret), fingerprint(path.info));
  const text = formatNarInfo({ ...path.info, signatures: [signature] });
  expectRefusal(await push(cache, path, text), 400);
});

test("a wrong content address cannot be attached to a published path", async () => {
  const open = cacheWith();
  const path = await testPath("claims", "claims", { references: [] });
  expect((await push(open, path)).status).toBe(201);
  for (const ca of ["rubbish", `fixed:r:sha256:${"1".repeat(52)}`]) {
    expectRefusal(await push(open, path, formatNarInfo({ ...path.info, ca })), 400);
  }
  expect((await open.get(`/${path.key}`)).text).toBe(path.text);
});
