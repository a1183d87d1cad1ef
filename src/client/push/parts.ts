// Uploading a large NAR in parts, by S3's multipart uploads. One that broke off goes on where it was.
import { Failure } from "../ground/failure.ts";
import type { SendRetrying } from "../http/retry.ts";
import type { Spool } from "./spool.ts";
import type { UploadState, UploadStates } from "./upload-state.ts";

export interface PartsOptions {
  readonly send: SendRetrying;
  readonly states: UploadStates;
  /** Bytes, 5 MiB at least. */
  readonly partSize: number;
  /** Called with the bytes of each part that is there, sent now or before. */
  readonly onBytes: (bytes: number, isSent: boolean) => void;
}

/** Parts in flight. */
const AT_ONCE = 3;
/** The cache reads the whole NAR again when its parts are complete. */
const COMPLETE_MS = 15 * 60_000;
const NOT_FOUND = 404;
const BAD_REQUEST = 400;

/** Throws {@link Failure}. */
export async function uploadInParts(key: string, spool: Spool, options: PartsOptions): Promise<void> {
  const known = options.states.get(key);
  if (known !== undefined) {
    try {
      const parts = await uploadedParts(key, queryOf(known), options.send);
      return await goOn(key, spool, known, parts, options);
    } catch (error) {
      // It ended or was aborted, or its parts are of something else: from the beginning, once.
      const isLost = error instanceof Failure && [NOT_FOUND, BAD_REQUEST].includes(error.status ?? 0);
      if (!isLost) throw error;
      options.states.delete(key);
    }
  }
  await goOn(key, spool, await begin(key, options), new Map(), options);
}

async function begin(key: string, { send, states, partSize }: PartsOptions): Promise<UploadState> {
  const { body } = await send({ method: "POST", path: `/${key}?uploads` });
  const uploadId = elementOf(body.toString("utf8"), "UploadId");
  if (uploadId === undefined)
    throw new Failure("network", "the cache began no upload in parts: is it a nix-cache?");
  const state = { uploadId, partSize };
  states.set(key, state);
  return state;
}

function queryOf({ uploadId }: UploadState): string {
  return `uploadId=${encodeURIComponent(uploadId)}`;
}

/** `parts` are those that are there, by number. */
async function goOn(
  key: string,
  spool: Spool,
  state: UploadState,
  parts: ReadonlyMap<number, Part>,
  { send, onBytes, states }: PartsOptions,
): Promise<void> {
  const { partSize } = state;
  const query = queryOf(state);
  const etags = new Map(parts);
  const count = Math.ceil(spool.size / partSize);
  let next = 1;
  let hasFailed = false;
  const sender = async () => {
    while (next <= count && !hasFailed) {
      const number = next++;
      const start = (number - 1) * partSize;
      const size = Math.min(partSize, spool.size - start);
      const part = etags.get(number);
      const isThere = part?.size === size;
      if (!isThere) {
        const { headers } = await send({
          method: "PUT",
          path: `/${key}?partNumber=${number}&${query}`,
          body: { size, open: () => spool.read(start, start + size) },
        }).catch((error: unknown) => {
          hasFailed = true;
          throw error;
        });
        etags.set(number, { etag: String(headers.etag), size });
      }
      onBytes(size, !isThere);
    }
  };
  // All have ended before the NAR's file is closed.
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, sender));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const list = Array.from({ length: count }, (_, index) => {
    const etag = (etags.get(index + 1)?.etag ?? "").replace(/&quot;|"/g, "");
    return `<Part><PartNumber>${index + 1}</PartNumber><ETag>"${etag}"</ETag></Part>`;
  });
  await send({
    method: "POST",
    path: `/${key}?${query}`,
    body: `<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`,
    headers: { "content-type": "application/xml" },
    idleMs: COMPLETE_MS,
  });
  states.delete(key);
}

interface Part {
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
}

/** Those that an earlier push has sent, by number. */
async function uploadedParts(key: string, query: string, send: SendRetrying): Promise<Map<number, Part>> {
  const parts = new Map<number, Part>();
  for (let marker = "0"; ; ) {
    const { body } = await send({ method: "GET", path: `/${key}?${query}&part-number-marker=${marker}` });
    const text = body.toString("utf8");
    for (const [, part = ""] of text.matchAll(/<Part>(.*?)<\/Part>/gs)) {
      const number = Number(elementOf(part, "PartNumber"));
      parts.set(number, { etag: elementOf(part, "ETag") ?? "", size: Number(elementOf(part, "Size")) });
    }
    const last = elementOf(text, "NextPartNumberMarker");
    if (elementOf(text, "IsTruncated") !== "true" || last === undefined || last === marker) return parts;
    marker = last;
  }
}

/** The text of an element; the cache writes no attributes, and of entities only the quotes of an ETag. */
function elementOf(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
}
