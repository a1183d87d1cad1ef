// Compressing NARs: zstd by Node, xz by its program.
import { spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Failure } from "../ground/failure.ts";
import { errorIn, notRun } from "../store/nix.ts";

export type Compression =
  | { readonly method: "zstd"; readonly level: number }
  | { readonly method: "xz"; readonly level: number }
  | { readonly method: "none" };

export const DEFAULT_COMPRESSION: Compression = { method: "zstd", level: 3 };

const ZSTD_LEVELS = [1, 19] as const;
const XZ_LEVELS = [0, 9] as const;
const DEFAULT_XZ_LEVEL = 6;
/** Of zstd's output. With Node's own 16 KiB a large NAR takes a sixth more processor time. */
const CHUNK_BYTES = 64 * 1024;

/** Reads `zstd`, `zstd:19`, `xz`, `xz:9`, `none`; `undefined` for anything else. */
export function parseCompression(text: string): Compression | undefined {
  if (text === "none") return { method: "none" };
  const [, method, digits] = /^(zstd|xz)(?::([0-9]{1,2}))?$/.exec(text) ?? [];
  if (method !== "zstd" && method !== "xz") return undefined;
  const [min, max] = method === "zstd" ? ZSTD_LEVELS : XZ_LEVELS;
  const level = digits === undefined ? defaultLevel(method) : Number(digits);
  return level < min || level > max ? undefined : { method, level };
}

function defaultLevel(method: "zstd" | "xz"): number {
  return method === "xz"
    ? DEFAULT_XZ_LEVEL
    : DEFAULT_COMPRESSION.method === "zstd"
      ? DEFAULT_COMPRESSION.level
      : 0;
}

/** The same bytes for the same NAR and level, so that an upload can be resumed. Throws {@link Failure}. */
export function compress(nar: AsyncIterable<Buffer>, compression: Compression): AsyncIterable<Buffer> {
  switch (compression.method) {
    case "none":
      return nar;
    case "zstd":
      return zstd(nar, compression.level);
    case "xz":
      return xz(nar, compression.level);
  }
}

async function* zstd(nar: AsyncIterable<Buffer>, level: number): AsyncGenerator<Buffer> {
  const { constants, createZstdCompress } = await import("node:zlib");
  const stream = createZstdCompress({
    chunkSize: CHUNK_BYTES,
    params: { [constants.ZSTD_c_compressionLevel]: level },
  });
  const fed = feed(nar, stream);
  try {
    yield* stream;
    await fed;
  } finally {
    stream.destroy();
  }
}

async function* xz(nar: AsyncIterable<Buffer>, level: number): AsyncGenerator<Buffer> {
  const child = spawn("xz", [`-${level}`, "--compress", "--stdout", "--threads=1"], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<void>((done, fail) => {
    child.on("error", (error) => fail(notRun("xz", error)));
    child.on("close", (code) =>
      code === 0 ? done() : fail(new Failure("failed", `xz: ${errorIn(stderr)}`)),
    );
  });
  ended.catch(() => undefined);
  const fed = feed(nar, child.stdin);
  try {
    yield* child.stdout;
    await ended;
    await fed;
  } finally {
    child.kill();
  }
}

/** An error of the source must reach the reader of the result, who awaits this at its end. */
function feed(nar: AsyncIterable<Buffer>, into: Writable): Promise<void> {
  const fed = pipeline(nar, into);
  fed.catch((error) => into.destroy(error));
  return fed;
}
