/** The multipart verbs, as a client with the push token speaks them. */
import { type Answer, PUSH_TOKEN, type TestCache } from "./cache.ts";
import { NAR_FRAME_BYTES, narOfFile } from "./nar.ts";
import { narKeyOf } from "./store-paths.ts";

/** The least that R2 takes as any part but the last. */
export const PART_BYTES = 5 * 1024 * 1024;

export interface TestNar {
  readonly key: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
}

/** A NAR of two parts, the second a short one. */
export async function largeNar(seed = 1): Promise<TestNar> {
  const contents = new Uint8Array(PART_BYTES + 1000 - NAR_FRAME_BYTES);
  const bytes = narOfFile(contents.map((_, index) => (index * 31 + (index >> 8) + seed) & 255));
  const parts = [bytes.slice(0, PART_BYTES), bytes.slice(PART_BYTES)];
  return { key: await narKeyOf(bytes), bytes, parts };
}

const headers = { Authorization: `Bearer ${PUSH_TOKEN}` };

export async function begin(cache: TestCache, key: string): Promise<string> {
  const answer = await cache.fetch(`/${key}?uploads`, { method: "POST", headers });
  if (answer.status !== 200) throw new Error(answer.text);
  return elementOf(answer.text, "UploadId") ?? "";
}

export function sendPart(
  cache: TestCache,
  key: string,
  uploadId: string,
  number: number | string,
  body: Uint8Array<ArrayBuffer>,
): Promise<Answer> {
  return cache.put(`/${key}?partNumber=${number}&uploadId=${encodeURIComponent(uploadId)}`, body);
}

export function complete(
  cache: TestCache,
  key: string,
  uploadId: string,
  tags: readonly (readonly [number, string])[],
): Promise<Answer> {
  const parts = tags.map(
    ([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`,
  );
  return cache.fetch(`/${key}?uploadId=${encodeURIComponent(uploadId)}`, {
    method: "POST",
    headers,
    body: `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`,
  });
}

export function abort(cache: TestCache, key: string, uploadId: string): Promise<Answer> {
  return cache.fetch(`/${key}?uploadId=${encodeURIComponent(uploadId)}`, { method: "DELETE", headers });
}

export function listed(cache: TestCache, key: string, uploadId: string, more = ""): Promise<Answer> {
  return cache.get(`/${key}?uploadId=${encodeURIComponent(uploadId)}${more}`, headers);
}

/** Begins an upload and sends all parts; gives what its completion needs. */
export async function sendAll(
  cache: TestCache,
  { key, parts }: Pick<TestNar, "key" | "parts">,
): Promise<{ readonly uploadId: string; readonly tags: (readonly [number, string])[] }> {
  const uploadId = await begin(cache, key);
  const tags: (readonly [number, string])[] = [];
  for (const [index, part] of parts.entries()) {
    const answer = await sendPart(cache, key, uploadId, index + 1, part);
    if (answer.status !== 200) throw new Error(answer.text);
    tags.push([index + 1, answer.headers.get("ETag") ?? ""]);
  }
  return { uploadId, tags };
}

/** The text of the first element of a name. */
export function elementOf(document: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(document)?.[1];
}
