// Companions: objects that are deleted with the path or the NAR that owns them. Derived from the table of kinds.
import { KINDS, type Kind, type OwnerType } from "./kinds.ts";
import { objectOf } from "./owners.ts";

const BY_CONTENT = KINDS.filter(({ ownership }) => ownership.by === "content");

/** Folders of companions whose content names their owner, in the order of the bucket's listing. */
export const COMPANION_FOLDERS: readonly string[] = BY_CONTENT.map(({ folder }) => folder).sort();

const REALISATIONS = KINDS.filter(({ upload }) => upload === "realisation");

/** Folders of the realisations of all forms, in the order of the bucket's listing. */
export const REALISATION_FOLDERS: readonly string[] = REALISATIONS.map(({ folder }) => folder).sort();

/** Whether a key is that of a realisation, which other objects in its folder are not. */
export function isRealisationKey(key: string): boolean {
  return REALISATIONS.some(({ pattern }) => pattern.test(key));
}

/** The owner of a companion; `text` is its content. `undefined` where it has none, or none that can be read. */
export function ownerOf(key: string, text: string): string | undefined {
  const kind = kindOf(key);
  if (kind?.ownership.by === "content") return kind.ownership.owner(objectOf(text));
  return kind && ownerInKey(kind, key);
}

/** The type of a companion's owner; `undefined` for other objects. */
export function ownerTypeOf(key: string): OwnerType | undefined {
  const { ownership } = kindOf(key) ?? {};
  return ownership === undefined || ownership.by === "itself" ? undefined : ownership.of;
}

/** The largest companion of its kind: decoded bytes. */
export function maxBytesOf(key: string): number {
  return kindOf(key)?.maxBytes ?? 0;
}

/** Whether objects of a kind are JSON objects. */
export function isJson({ json }: Kind): boolean {
  return json !== undefined;
}

/** Whether the content of an object names its owner, so that the catalog needs a row for it. */
export function namesOwnerInContent(key: string): boolean {
  return kindOf(key)?.ownership.by === "content";
}

/** Keys of the companions whose key contains the owner's name. They need not be in the bucket. */
export function keysOfOwner(of: OwnerType, owner: string): string[] {
  return KINDS.flatMap(({ folder, ownership }) =>
    ownership.by === "key" && ownership.of === of ? `${folder}${owner}${ownership.ending}` : [],
  );
}

/** The base name of the deriver that owns a companion; `undefined` if the owner is no deriver. */
export function deriverOf(key: string): string | undefined {
  const kind = kindOf(key);
  const { ownership } = kind ?? {};
  return kind && ownership?.by === "key" && ownership.of === "deriver" ? ownerInKey(kind, key) : undefined;
}

function ownerInKey({ folder, ownership }: Kind, key: string): string | undefined {
  if (ownership.by !== "key" || !key.endsWith(ownership.ending)) return undefined;
  return key.slice(folder.length, key.length - ownership.ending.length);
}

/** In a folder other tools may use any names. On the top level only the name distinguishes the kinds. */
function kindOf(key: string): Kind | undefined {
  return KINDS.find(({ folder, pattern }) => (folder === "" ? pattern.test(key) : key.startsWith(folder)));
}
