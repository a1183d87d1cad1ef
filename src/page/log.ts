// The page of a build log, with its colors. It is decoded and sent piece by piece.
import { KINDS } from "../bucket/kinds.ts";
import { bucketOperation } from "../bucket/operation.ts";
import { isMember, MAX_ANONYMOUS_BYTES } from "../cache/decoded.ts";
import type { Handler } from "../context.ts";
import { decodePieces, knownCoding } from "../http/encodings.ts";
import { HttpError } from "../http/errors.ts";
import { ansiHtml } from "./ansi.ts";
import { bytes } from "./format.ts";
import { html } from "./html.ts";
import { basePath, page, streamedPage } from "./layout.ts";

const LOG = KINDS.find(({ name }) => name === "log");

export const logPage: Handler = async (context) => {
  const { bucket, path } = context;
  const deriver = path.slice("_/log/".length);
  const key = `log/${deriver}`;
  if (LOG?.pattern.test(key) !== true) throw new HttpError(404, "this is no name of a build log");
  const object = await bucketOperation("get", () => bucket.get(key));
  if (object === null) throw new HttpError(404, "no such log in this cache");
  const plain = `${basePath(context)}/log/${encodeURIComponent(deriver)}`;
  const name = deriver.slice(33);
  const body = html`<p class="crumbs">Build log /</p><h1 class="name">${name}</h1><p class="actions"><span class="note">${bytes(object.size)} stored${object.httpMetadata?.contentEncoding ? ` as ${object.httpMetadata.contentEncoding}` : ""}</span> <a class="button plain" href="${plain}">Plain text</a> <a class="button plain" href="#end">To the end</a></p>`;
  const content = { title: `${name}: log`, body } as const;
  const limit = (await isMember(context)) ? (LOG?.maxBytes ?? 0) : MAX_ANONYMOUS_BYTES;
  if (context.request.method === "HEAD") {
    await object.body.cancel();
    return page(context, content);
  }
  return streamedPage(context, content, textOf(object, limit));
};

/** What goes wrong on the way is said at its place: the status has been sent. */
async function* textOf(object: R2ObjectBody, limit: number): AsyncGenerator<string> {
  yield '<pre class="log" tabindex="0" role="region" aria-label="The log">\n';
  const terminal = ansiHtml();
  const decoder = new TextDecoder();
  let problem = "";
  try {
    let total = 0;
    for await (const piece of piecesOf(object, limit)) {
      total += piece.length;
      if (total > limit) throw new HttpError(413, "too large");
      yield terminal.push(decoder.decode(piece, { stream: true }));
    }
    yield terminal.push(decoder.decode());
  } catch (error) {
    if (!(error instanceof HttpError)) console.error("a log broke off", error);
    problem = isTooLarge(error)
      ? `The first ${bytes(limit)} are shown; all of it is in the plain text.`
      : "The log breaks off here: it is damaged, or the bucket did not answer.";
  }
  yield `${terminal.end()}</pre>${html`<p id="end" class="note">${problem || "The end."}</p>`.text}`;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof HttpError && error.status === 413;
}

async function* piecesOf(object: R2ObjectBody, limit: number): AsyncGenerator<Uint8Array> {
  const stored = object.httpMetadata?.contentEncoding ?? "";
  const coding = knownCoding(stored);
  if (coding !== undefined) {
    yield* decodePieces(object.body, coding, limit);
    return;
  }
  const { piecesOf: large } = await import("../verify/pieces.ts");
  const { decode } = await import("../verify/decode.ts");
  // Other tools store xz and bzip2.
  yield* decode(large(object.body), stored);
}
