/** The fixtures that real Nix clients made, bundled: there is no file system inside the Workers runtime. */

const narinfoFiles = import.meta.glob<string>("../fixtures/nix-*/*/*.narinfo", {
  query: "?raw",
  import: "default",
  eager: true,
});
const cacheInfoFiles = import.meta.glob<string>("../fixtures/nix-*/*/nix-cache-info", {
  query: "?raw",
  import: "default",
  eager: true,
});
const keyFiles = import.meta.glob<string>(["../fixtures/nix-*/public*", "../fixtures/nix-*/secret*"], {
  query: "?raw",
  import: "default",
  eager: true,
});
const narFiles = import.meta.glob<string>("../fixtures/nix-*/*/nar/*", {
  query: "?url&inline",
  import: "default",
});

export interface NarInfoFixture {
  /** `2.8.0` */
  version: string;
  /** `xz`, or `twosigs` for the paths with two signatures. */
  folder: string;
  /** The hash part of the store path. */
  hash: string;
  text: string;
}

export const VERSIONS = ["2.8.0", "2.34.8"];

export const narInfos: NarInfoFixture[] = Object.entries(narinfoFiles).map(([path, text]) => {
  const [, , version = "", folder = "", file = ""] = path.split("/");
  return { version: version.replace("nix-", ""), folder, hash: file.replace(".narinfo", ""), text };
});

export const cacheInfos: string[] = Object.values(cacheInfoFiles);

/** Whether a NAR of that key is in the cache of that version and folder. */
export function hasNar(fixture: NarInfoFixture, key: string): boolean {
  return `../fixtures/nix-${fixture.version}/${fixture.folder}/${key}` in narFiles;
}

/** The bytes of a NAR of that version and folder, by its key. */
export async function narOf(
  { version, folder }: Pick<NarInfoFixture, "version" | "folder">,
  key: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const path = `../fixtures/nix-${version}/${folder}/${key}`;
  const url = await narFiles[path]?.();
  if (url === undefined) throw new Error(`no fixture ${path}`);
  return Uint8Array.fromBase64(url.slice(url.indexOf(",") + 1));
}

/** A key as Nix wrote it: `secret1`, `public1`, `public2`, and with 2.34.8 `secret2`. */
export function keyText(version: string, name: string): string {
  const text = keyFiles[`../fixtures/nix-${version}/${name}`];
  if (text === undefined) throw new Error(`no fixture nix-${version}/${name}`);
  return text;
}
