/** Pushes within the catalog's own object, at any time: no alarm of the real clock comes between. */
import { env } from "cloudflare:workers";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { announceNar } from "../../src/catalog/publish/announce-nar.ts";
import { publish } from "../../src/catalog/publish/publish.ts";
import type { PublishOutcome } from "../../src/contract/paths.ts";
import { storePathOfContentAddress } from "../../src/nix/content-address.ts";
import { formatNarInfo } from "../../src/nix/narinfo.ts";
import { storePathOfBaseName } from "../../src/nix/store-path.ts";
import { sha256, type TestPath } from "./store-paths.ts";

const asleep = (c: CatalogContext): CatalogContext => ({ ...c, wakeForVerification: () => undefined });

/** As a client does: the NAR, then the narinfo. */
export async function pushTo(c: CatalogContext, path: TestPath): Promise<PublishOutcome> {
  const hash = await sha256(path.nar);
  await announceNar(asleep(c), { key: path.narKey, size: path.nar.length, sha256: hash.bytes.toHex() });
  await env.BUCKET.put(path.narKey, path.nar, { sha256: hash.bytes });
  return pushAgain(c, path);
}

/** Only the narinfo: the NAR is there. */
export function pushAgain(c: CatalogContext, { text }: TestPath): Promise<PublishOutcome> {
  return publish(asleep(c), text, "PUSH_TOKEN");
}

/** A path with the NAR of another one and a content address, from which its hash part follows. */
export async function withAddress(
  path: TestPath,
  name: string,
  ca: string,
  refersToItself = false,
): Promise<TestPath> {
  const itself = refersToItself ? [name] : [];
  const baseName = await storePathOfContentAddress(ca, name, itself, "/nix/store", name);
  if (baseName === undefined) throw new Error(`${ca} is no content address`);
  const storePath = storePathOfBaseName(baseName, "/nix/store");
  const info = { ...path.info, storePath, references: refersToItself ? [baseName] : [], ca };
  return { ...path, key: `${storePath.hash}.narinfo`, info, text: formatNarInfo(info) };
}
