// Importing closures from another binary cache, with their signatures.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { equalHash, type Hash } from "../../nix/hash.ts";
import { narKeyOfHash } from "../../nix/nar-url.ts";
import { formatNarInfo, type NarInfo } from "../../nix/narinfo.ts";
import { formatStorePath } from "../../nix/store-path.ts";
import { Failure } from "../ground/failure.ts";
import type { State } from "../ground/progress.ts";
import type { Cache } from "../http/api.ts";
import { type Compression, compress } from "../push/compression.ts";
import { lineOfPath } from "../push/failure.ts";
import { publisher } from "../push/publisher.ts";
import { type FailedPath, pushAll } from "../push/schedule.ts";
import { openSpool, type Spool } from "../push/spool.ts";
import { narUploader } from "../push/upload.ts";
import { cacheDir, type Env } from "../settings/locations.ts";
import { topological } from "../store/closure.ts";
import type { PathInfo } from "../store/path-info.ts";
import type { Source } from "./source.ts";
import { walk } from "./walk.ts";

export interface ImportOptions {
  readonly jobs: number;
  /** Of NARs that the source has not compressed; all others stay as they are. */
  readonly compression: Compression;
  readonly partSize: number | undefined;
  readonly dryRun: boolean;
  readonly env: Env;
  readonly onProgress: (state: State) => void;
  readonly warn: (line: string) => void;
}

export interface ImportReport {
  readonly imported: readonly string[];
  /** Of the named paths, those that were here. */
  readonly present: number;
  /** Bytes that were sent. */
  readonly sent: number;
  readonly failed: readonly FailedPath[];
}

/** Imports these paths and their closures. What is here is not asked for, so that a second run goes on. */
export async function importAll(
  cache: Cache,
  source: Source,
  hashes: readonly string[],
  storeDir: string,
  options: ImportOptions,
): Promise<ImportReport> {
  let sent = 0;
  let done = 0;
  let total = 0;
  const show = () => options.onProgress({ done, total, bytes: sent });
  const found = await walk(cache, source, hashes, storeDir, (count) => {
    total = count;
    show();
  });
  const lost = found.failed;
  for (const failed of lost) options.warn(lineOfPath(failed));
  const infos = new Map([...found.infos.values()].map((info) => [formatStorePath(info.storePath), info]));
  const sorted = topological(new Map([...infos].map(([path, info]) => [path, pathInfoOf(path, info)])));
  if (options.dryRun) {
    return { imported: sorted.map(({ path }) => path), present: found.present, sent, failed: lost };
  }
  const upload = narUploader(cache, {
    partSize: options.partSize,
    env: options.env,
    onBytes: (bytes) => {
      sent += bytes;
      show();
    },
  });
  const publish = publisher(cache, options.warn);
  const { pushed, failed } = await pushAll(sorted, options.jobs, {
    async upload({ path }) {
      const info = infos.get(path);
      if (info === undefined) throw new Failure("failed", `${path} was not read`);
      const { spool, ...packed } = await download(source, info, options);
      try {
        await upload(packed.url, spool);
        const narinfo = formatNarInfo({ ...info, ...packed, fileSize: spool.size });
        return { hashPart: info.storePath.hash, narinfo };
      } finally {
        spool.close();
      }
    },
    async publish({ path, references }, uploaded) {
      await publish({ ...uploaded, path, references });
      done += 1;
      show();
    },
    onFailure: (failed) => options.warn(lineOfPath(failed)),
  });
  return { imported: pushed, present: found.present, sent, failed: [...lost, ...failed] };
}

/** For the order; the source's narinfo is what is published. */
function pathInfoOf(
  path: string,
  { narHash, narSize, references, signatures, storePath }: NarInfo,
): PathInfo {
  return {
    path,
    narHash,
    narSize,
    references: references.map((reference) => `${storePath.storeDir}/${reference}`),
    signatures,
  };
}

interface Downloaded {
  readonly url: string;
  readonly compression: NarInfo["compression"];
  readonly fileHash: Hash;
  readonly spool: Spool;
}

/** The NAR as it is, or compressed where it was not, compared with the narinfo's hashes. Throws {@link Failure}. */
async function download(source: Source, info: NarInfo, options: ImportOptions): Promise<Downloaded> {
  const isPlain = info.compression === "none";
  const received = createHash("sha256");
  const sent = createHash("sha256");
  const spool = openSpool(join(cacheDir(options.env), "spool"));
  const most = mostBytes(info);
  let size = 0;
  async function* hashed(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > most)
        throw new Failure("failed", `the source's ${info.url} is longer than its narinfo says`);
      received.update(chunk);
      yield chunk;
    }
  }
  try {
    const nar = hashed(await source.nar(info.url));
    for await (const chunk of isPlain ? compress(nar, options.compression) : nar) {
      sent.update(chunk);
      spool.write(chunk);
    }
    const expected = isPlain ? info.narHash : info.fileHash;
    if (expected !== undefined && !equalHash(hashOf(received.digest()), expected)) {
      throw new Failure("failed", `the source's ${info.url} is not what its narinfo says`);
    }
    const compression = isPlain ? options.compression.method : info.compression;
    const fileHash = hashOf(sent.digest());
    return { url: narKeyOfHash(fileHash, compression), compression, fileHash, spool };
  } catch (error) {
    spool.close();
    throw error;
  }
}

/** Of the file: as the narinfo says, or what no compression adds to a NAR. */
function mostBytes({ compression, fileSize, narSize }: NarInfo): number {
  if (compression === "none") return narSize;
  return fileSize ?? narSize + Math.ceil(narSize / 64) + 64 * 1024;
}

function hashOf(digest: Buffer): Hash {
  return { algorithm: "sha256", bytes: new Uint8Array(digest) };
}
