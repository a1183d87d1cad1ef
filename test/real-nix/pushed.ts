// Store paths that no Nix has built, pushed and checked by plain HTTP.
import { createHash, randomBytes } from "node:crypto";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { NAR_FRAME_BYTES, narOfFile } from "../support/nar.ts";

export interface PushedPath {
  /** `/<hash>.narinfo` */
  readonly narInfoPath: string;
  /** `/nar/<hash>.nar` */
  readonly narPath: string;
  readonly nar: Buffer;
  /** The narinfo. */
  readonly text: string;
  readonly baseName: string;
}

const HASH_BYTES = 20;
const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest();

/**
 * A path whose NAR, not compressed, has this many bytes, a multiple of 8: a file of random bytes, which refers to
 * others that must be there before it.
 */
export function randomPath(name: string, bytes: number, references: readonly PushedPath[] = []): PushedPath {
  const nar = Buffer.from(narOfFile(randomBytes(bytes - NAR_FRAME_BYTES)).buffer);
  const baseName = `${encodeNix32(sha256(name).subarray(0, HASH_BYTES))}-${name}`;
  const narHash = encodeNix32(sha256(nar));
  const lines = [
    `StorePath: /nix/store/${baseName}`,
    `URL: nar/${narHash}.nar`,
    "Compression: none",
    `FileHash: sha256:${narHash}`,
    `FileSize: ${bytes}`,
    `NarHash: sha256:${narHash}`,
    `NarSize: ${bytes}`,
    `References: ${references.map((reference) => reference.baseName).join(" ")}`,
  ];
  return {
    narInfoPath: `/${baseName.slice(0, 32)}.narinfo`,
    narPath: `/nar/${narHash}.nar`,
    nar,
    text: `${lines.join("\n")}\n`,
    baseName,
  };
}

/** Of a PUT, with the status that it was answered with. */
export async function putTo(
  url: string,
  path: string,
  body: string | Buffer<ArrayBuffer>,
  token = "push",
): Promise<number> {
  const response = await fetch(`${url}${path}`, {
    method: "PUT",
    body,
    headers: { Authorization: `Bearer ${token}` },
  });
  await response.arrayBuffer();
  return response.status;
}

/** The findings of a check: names by kind. */
export type Findings = Readonly<Record<string, readonly string[]>>;

interface Report {
  readonly done: boolean;
  readonly problem?: string;
  readonly findings: Readonly<Record<string, { readonly first: readonly { readonly name: string }[] }>>;
}

/** A whole check of the bucket and the catalog; a kind of which nothing was found is left out. */
export async function check(url: string, token = "admin"): Promise<Findings> {
  const headers = { Authorization: `Bearer ${token}` };
  for (let body = '{"restart": true}'; ; body = "") {
    const response = await fetch(`${url}/api/v1/check`, { method: "POST", headers, body });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`the check answers ${response.status}: ${text}`);
    const report: Report = JSON.parse(text);
    if (report.problem !== undefined) throw new Error(report.problem);
    if (!report.done) continue;
    const found = Object.entries(report.findings).map(([kind, { first }]) => [
      kind,
      first.map(({ name }) => name),
    ]);
    return Object.fromEntries(found.filter(([, names]) => names?.length));
  }
}
