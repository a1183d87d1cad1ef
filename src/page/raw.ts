// The content of files of a store path: untrusted, and so in a sandbox without the rights of this origin.
import { PRIVATE } from "../bucket/kinds.ts";
import type { Config } from "../config/config.ts";
import type { Context, Handler } from "../context.ts";
import { HttpError } from "../http/errors.ts";
import { ifRangeHolds } from "../http/preconditions.ts";
import { contentRange, parseRange, rangeNotSatisfiable, resolveRange } from "../http/ranges.ts";
import { encodeNix32 } from "../nix/nix32.ts";
import { withItsFiles } from "./inline.ts";
import { DOWNLOAD, imageType, PLAIN, servedType } from "./kinds-of-files.ts";
import { basePath } from "./layout.ts";
import { type File, find, namesOf, readTree, type Tree, urlOf } from "./tree.ts";
import { unpacked, unpackedFiles } from "./unpacked.ts";

/** Nothing runs, nothing is loaded. */
const SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'";

/** Of a document that its files are put into, which is held whole for that. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** Answers with a file: a picture, with `?text` text, or a download. Throws {@link HttpError} 404 or 413. */
export const rawFile: Handler = async (context) => {
  const { tree, names, rest } = await requested(context, "raw");
  const place = find(tree, names);
  if (place.kind === "elsewhere") return redirect(context, "raw", place.baseName, place.at);
  const { node, at } = place;
  if (node.type !== "regular" || rest.endsWith("/")) throw new HttpError(404, "this is no file");
  const name = at.at(-1) ?? tree.info.storePath.name;
  const type = new URLSearchParams(context.query).has("text") ? PLAIN : (imageType(name) ?? DOWNLOAD);
  return fileResponse(context, tree, node, { name, type, policy: SANDBOX });
};

/** Answers with a file as a web server does, `index.html` for a directory. Throws {@link HttpError} 404 or 413. */
export const servedFile: Handler = async (context) => {
  const { tree, names, hash, rest } = await requested(context, "serve");
  const place = find(tree, names);
  if (place.kind === "elsewhere") return redirect(context, "serve", place.baseName, place.at);
  let { node, at } = place;
  if (node.type === "directory") {
    if (!node.entries.has("index.html")) return redirect(context, "files", hash, [...at, ""]);
    // Links in it are relative to it.
    if (!rest.endsWith("/")) return redirect(context, "serve", hash, [...names, ""]);
    const index = find(tree, [...at, "index.html"]);
    if (index.kind === "elsewhere") return redirect(context, "serve", index.baseName, index.at);
    ({ node, at } = index);
  }
  if (node.type !== "regular") throw new HttpError(404, "this is no file");
  const name = at.at(-1) ?? tree.info.storePath.name;
  const type = servedType(name);
  const as = { name, type, policy: policyOf(context, hash) };
  const { bucket, config, request } = context;
  const isDocument = type.startsWith("text/html") && node.size <= MAX_DOCUMENT_BYTES;
  if (!isDocument || isOpen(config) || request.method === "HEAD")
    return fileResponse(context, tree, node, as);
  const whole = new Request(request.url);
  const response = await fileResponse({ ...context, request: whole }, tree, node, as);
  return withItsFiles(response, tree, at, (files) => unpackedFiles(bucket, tree.narKey, tree.info, files));
};

/** Whether files are read without a credential. */
function isOpen(config: Config): boolean {
  return !config.isPrivate && config.listing === "public";
}

/**
 * What a document may load: styles, pictures and fonts of its own path. The origin is spelt out, as a sandboxed document
 * has none that `'self'` could mean.
 */
function policyOf({ request }: Context, hash: string): string {
  // As it was asked for: the default cache has two addresses.
  const { origin, pathname } = new URL(request.url);
  const own = `${origin}${pathname.slice(0, pathname.indexOf("/_/"))}/_/serve/${hash}/`;
  return [
    "sandbox",
    "default-src 'none'",
    `style-src ${own} data: 'unsafe-inline'`,
    `img-src ${own} data:`,
    `font-src ${own} data:`,
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

interface Requested {
  readonly tree: Tree;
  readonly hash: string;
  /** The path below the store path, as it was sent. */
  readonly rest: string;
  readonly names: readonly string[];
}

async function requested({ path, bucket, config }: Context, kind: "raw" | "serve"): Promise<Requested> {
  const below = path.slice(`_/${kind}/`.length);
  const hash = below.slice(0, 32);
  const rest = below.slice(32);
  return { tree: await readTree(bucket, hash, config.storeDir), hash, rest, names: namesOf(rest) };
}

function redirect(
  context: Context,
  kind: "raw" | "serve" | "files",
  to: string,
  names: readonly string[],
): Response {
  const location = `${basePath(context)}/_/${kind}/${to.slice(0, 32)}${urlOf(names)}`;
  return new Response(null, { status: 302, headers: { Location: location, "Cache-Control": PRIVATE } });
}

async function fileResponse(
  { request, bucket, config }: Context,
  { narKey, info }: Tree,
  { size, narOffset }: File,
  { name, type, policy }: { readonly name: string; readonly type: string; readonly policy: string },
): Promise<Response> {
  const etag = `"${encodeNix32(info.narHash.bytes)}-${narOffset}-${size}"`;
  const wanted = request.method === "GET" ? parseRange(request.headers.get("Range")) : undefined;
  const isPart = wanted !== undefined && ifRangeHolds(request.headers, { etag });
  const part = isPart ? resolveRange(wanted, size) : { offset: 0, length: size };
  if (part === undefined) throw rangeNotSatisfiable(size);
  const headers = {
    "Content-Type": type,
    "Content-Length": `${part.length}`,
    "Content-Security-Policy": policy,
    "Cache-Control": PRIVATE,
    "Referrer-Policy": "no-referrer",
    "Accept-Ranges": "bytes",
    ETag: etag,
    ...(isPart && { "Content-Range": contentRange(part, size) }),
    ...(type === DOWNLOAD && { "Content-Disposition": attachment(name) }),
    // A browser sends the credential of its user with what another site embeds.
    ...(!isOpen(config) && { "Cross-Origin-Resource-Policy": "same-origin" }),
  };
  if (request.method === "HEAD") return new Response(null, { headers });
  const pieces = unpacked(bucket, narKey, info, part.length, narOffset + part.offset);
  // The first one now: what is wrong until then is a status.
  let next: IteratorResult<Uint8Array> | undefined = await pieces.next();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = next ?? (await pieces.next());
      next = undefined;
      if (done) controller.close();
      // It is valid until the next only.
      else controller.enqueue(value.slice());
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
  const body = stream.pipeThrough(new FixedLengthStream(part.length));
  return new Response(body, { status: isPart ? 206 : 200, headers });
}

/** RFC 6266: a name of any characters, and one in ASCII for old clients. */
function attachment(name: string): string {
  const plain = name.replace(/[^0-9A-Za-z._+-]/g, "_");
  const exact = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
