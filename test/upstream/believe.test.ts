/** Which narinfos of an upstream are believed, and to which addresses a client is sent. */
import { describe, expect, test } from "vitest";
import type { Upstream } from "../../src/config/upstream.ts";
import { fingerprint } from "../../src/nix/fingerprint.ts";
import { generateSecretKey, parsePublicKey, parseSecretKey, sign } from "../../src/nix/keys.ts";
import { formatNarInfo, type NarInfo } from "../../src/nix/narinfo.ts";
import { believe } from "../../src/upstream/believe.ts";
import { testPath } from "../support/store-paths.ts";

const URL_OF_UPSTREAM = "https://upstream.example.org/cache";
const { info } = await testPath("library-1.0");
const keys = await Promise.all(["a-1", "b-1"].map((name) => generateSecretKey(name)));

async function believed(changes: Partial<NarInfo>, url = URL_OF_UPSTREAM, signer = 0) {
  const upstream: Upstream = {
    ...{ url, serve: "pushers", anonymous: true, mirrorBytesPerDay: 1e9 },
    keys: () => Promise.all(keys.map((key) => parsePublicKey(key.public))),
  };
  const changed = { ...info, ...changes };
  const key = await parseSecretKey(keys[signer]?.secret ?? "");
  const signatures = [await sign(key, fingerprint(changed))];
  return believe(upstream, info.storePath.hash, formatNarInfo({ ...changed, signatures }), "/nix/store");
}

test.each([0, 1])("a signature by key %i of several is enough", async (signer) => {
  expect(await believed({}, URL_OF_UPSTREAM, signer)).toHaveProperty("info.signatures.length", 1);
});

describe("a client is sent to", () => {
  test.each([
    ["nar/x.nar.xz", `${URL_OF_UPSTREAM}/nar/x.nar.xz`],
    ["https://files.example.org/x.nar", "https://files.example.org/x.nar"],
    ["https://files.example.org:8443/x.nar?y=z", "https://files.example.org:8443/x.nar?y=z"],
  ])("%s", async (url, absolute) => {
    expect(await believed({ url })).toMatchObject({ info: { url: absolute } });
  });

  test("an address of this machine by an upstream that is on it", async () => {
    const url = "http://127.0.0.1:8080/x.nar";
    expect(await believed({ url }, "http://localhost:8080")).toMatchObject({ info: { url } });
  });
});

describe("a client is not sent to", () => {
  test.each([
    "http://files.example.org/x.nar",
    "HTTPS://files.example.org/x.nar",
    "//files.example.org/x.nar",
    "/nar/x.nar",
    "../x.nar",
    "nar/../../x.nar",
    "nar/%2e%2e/%2e%2e/x.nar",
    "x.nar",
    "file:///etc/passwd",
    "s3://bucket/x.nar",
    "https://user@files.example.org/x.nar",
    "https://user:password@files.example.org/x.nar",
    "https://",
    "https://127.0.0.1/x.nar",
    "https://2130706433/x.nar",
    "https://0x7f.1/x.nar",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/x.nar",
    "https://[::1]/x.nar",
    "https://[fd00::1]/x.nar",
    "https://localhost/x.nar",
    "https://nas.local/x.nar",
    "https://metadata.google.internal/x.nar",
    "https://router/x.nar",
  ])("%s", async (url) => {
    expect(await believed({ url })).toHaveProperty("why");
  });
});

test.each<[string, Partial<NarInfo>]>([
  [
    "a FileHash that most Nix versions cannot read",
    { fileHash: { algorithm: "blake3", bytes: new Uint8Array(32) } },
  ],
  ["a size that differs without compression", { fileSize: info.narSize + 1 }],
  ["itself under another name among its references", { references: [`${info.storePath.hash}-other-1.0`] }],
])("a narinfo with %s is not believed", async (_, changes) => {
  expect(await believed(changes)).toHaveProperty("why");
});
