// The reader of a page: the name that is signed in, and whether lists are open to it.
import { strongest } from "../auth/grants.ts";
import type { Context } from "../context.ts";

export interface Viewer {
  /** Of the credential; `undefined` for anonymous readers, and where the credential cannot be checked now. */
  readonly name?: string;
  /** Whether it may search and list. */
  readonly mayList: boolean;
}

/** Never rejects: a page without these words is better than none. */
export async function viewerOf({ request, config, identity, identify }: Context): Promise<Viewer> {
  const isOpen = !config.isPrivate && config.listing === "public";
  if (identity.credential !== "none") return { name: identity.name, mayList: true };
  if (!request.headers.has("Authorization")) return { mayList: isOpen };
  try {
    const identified = await identify();
    if (identified.kind !== "known") return { mayList: isOpen };
    const { name } = identified.identity;
    return { name, mayList: isOpen || strongest(identified.identity, config.cacheName) !== undefined };
  } catch (error) {
    console.warn("the credential of a page's reader cannot be checked now", error);
    return { mayList: isOpen };
  }
}
