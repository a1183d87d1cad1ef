// The version of the program, of package.json; the build puts it in.
declare const NIX_CACHE_VERSION: string | undefined;

export const VERSION = typeof NIX_CACHE_VERSION === "string" ? NIX_CACHE_VERSION : "development";
