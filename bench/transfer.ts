// A large NAR on its way in, by parts, and out again.
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { AwsV4Signer } from "aws4fetch";
import { encodeNix32 } from "../src/nix/nix32.ts";

/** The token of the Workers under test. */
export const PUSH_TOKEN = "push";

export interface LargeNar {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly key: string;
  readonly part: (number: number) => Uint8Array<ArrayBuffer>;
}

export interface Target {
  readonly url: string;
  /** Whether the body's hash is signed, so that the Worker has to look at each byte. */
  readonly isSigned: boolean;
}

/** Bytes that do not compress, made from a key as they are needed. */
export function makeLargeNar(bytes: number, partBytes: number): LargeNar {
  const key = randomBytes(32);
  const part = (number: number) => {
    const iv = Buffer.alloc(16);
    iv.writeUInt32BE(number);
    const length = Math.min(partBytes, bytes - (number - 1) * partBytes);
    return new Uint8Array(createCipheriv("aes-256-ctr", key, iv).update(Buffer.alloc(length)));
  };
  const hash = createHash("sha256");
  for (let number = 1; (number - 1) * partBytes < bytes; number++) hash.update(part(number));
  const digest = hash.digest();
  return { bytes, sha256: digest.toString("hex"), key: `nar/${encodeNix32(digest)}.nar.xz`, part };
}

export async function begin(target: Target, { key }: LargeNar): Promise<string> {
  const text = await (await send(target, "POST", `/${key}?uploads`)).text();
  return encodeURIComponent(/<UploadId>(.*)<\/UploadId>/.exec(text)?.[1] ?? "");
}

/** Sends all parts, one after the other; returns their tags. */
export async function sendParts(target: Target, nar: LargeNar, uploadId: string, count: number) {
  const etags: string[] = [];
  for (let number = 1; number <= count; number++) {
    const path = `/${nar.key}?partNumber=${number}&uploadId=${uploadId}`;
    const answer = await send(target, "PUT", path, nar.part(number));
    etags.push(answer.headers.get("ETag") ?? "");
  }
  return etags;
}

export async function complete(target: Target, nar: LargeNar, uploadId: string, etags: readonly string[]) {
  const parts = etags.map(
    (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
  );
  const list = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
  // Only the yardstick needs the hash; the cache takes it from the name.
  await send(target, "POST", `/${nar.key}?uploadId=${uploadId}&sha256=${nar.sha256}`, Buffer.from(list));
}

/** Throws unless the download equals the upload. */
export async function download({ url }: Target, nar: LargeNar): Promise<void> {
  const answer = await fetch(`${url}/${nar.key}`);
  const hash = createHash("sha256");
  for await (const chunk of answer.body ?? []) hash.update(chunk);
  if (hash.digest("hex") !== nar.sha256) throw new Error(`${nar.key} came back changed`);
}

async function send(
  { url, isSigned }: Target,
  method: string,
  path: string,
  body?: Uint8Array<ArrayBuffer>,
): Promise<Response> {
  const headers = isSigned
    ? await signature(method, url + path, body)
    : { Authorization: `Bearer ${PUSH_TOKEN}` };
  const answer = await fetch(url + path, { method, headers, ...(body !== undefined && { body }) });
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

async function signature(method: string, url: string, body = new Uint8Array()): Promise<Headers> {
  const signer = new AwsV4Signer({
    ...{ method, url, accessKeyId: "push", secretAccessKey: PUSH_TOKEN, service: "s3", region: "auto" },
    headers: { "x-amz-content-sha256": createHash("sha256").update(body).digest("hex") },
  });
  return (await signer.sign()).headers;
}
