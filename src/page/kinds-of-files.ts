// What a browser may do with a file of a store path, by its name.

const IMAGES: Readonly<Record<string, string>> = {
  avif: "image/avif",
  gif: "image/gif",
  ico: "image/x-icon",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  png: "image/png",
  svg: "image/svg+xml",
  webp: "image/webp",
};

/** The smallest first. */
const FONTS = ["woff2", "woff", "ttf", "otf"];

/** Of documentation. Scripts do not run there, and are text. */
const SERVED: Readonly<Record<string, string>> = {
  ...IMAGES,
  css: "text/css; charset=utf-8",
  htm: "text/html; charset=utf-8",
  html: "text/html; charset=utf-8",
  xhtml: "application/xhtml+xml",
  js: "text/plain; charset=utf-8",
  json: "text/plain; charset=utf-8",
  md: "text/plain; charset=utf-8",
  txt: "text/plain; charset=utf-8",
  xml: "text/plain; charset=utf-8",
  otf: "font/otf",
  ttf: "font/ttf",
  woff: "font/woff",
  woff2: "font/woff2",
};

/** A file that is downloaded. */
export const DOWNLOAD = "application/octet-stream";
export const PLAIN = "text/plain; charset=utf-8";

/** The type of a picture; `undefined` for anything else. */
export function imageType(name: string): string | undefined {
  return typeIn(IMAGES, name);
}

export function servedType(name: string): string {
  return typeIn(SERVED, name) ?? DOWNLOAD;
}

/** The same font in the formats that browsers take before this one: they are smaller. */
export function betterFonts(name: string): readonly string[] {
  const [, base, ending = ""] = /^(.*)\.([a-z0-9]+)$/i.exec(name) ?? [];
  return FONTS.slice(0, Math.max(0, FONTS.indexOf(ending.toLowerCase()))).map(
    (better) => `${base}.${better}`,
  );
}

function typeIn(types: Readonly<Record<string, string>>, name: string): string | undefined {
  const ending = /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(types, ending) ? types[ending] : undefined;
}
