// Watches the store for paths that become valid, whoever builds or fetches them: for machines whose hook cannot be set.
import { watch } from "node:fs";
import { setTimeout } from "node:timers/promises";

export interface StoreWatch {
  readonly storeDir: string;
  /** Goes before it on the disk: the root of a chroot store. */
  readonly root?: string;
  /** Resolves to those of the paths that are valid. */
  readonly validOf: (paths: readonly string[]) => Promise<readonly string[]>;
  readonly onValid: (paths: readonly string[]) => void;
  readonly stop: AbortSignal;
  readonly checkMs?: number;
}

const CHECK_MS = 1_000;
/** A path is registered soon after its last file has been written. */
const HOPE_MS = 60_000;
/** Of an output or a source, or the lock that Nix holds while it makes one. Derivations are not pushed. */
const NAME = /^([0-9abcdfghijklmnpqrsvwxyz]{32}-[A-Za-z0-9+\-._?=]+?)(\.lock)?$/;

/** The store path that a change of the file `name` is about. */
export function pathOf(storeDir: string, name: string): string | undefined {
  const [, path] = NAME.exec(name) ?? [];
  return path === undefined || path.endsWith(".drv") ? undefined : `${storeDir}/${path}`;
}

/** Runs until it is stopped, and then looks once more at what has changed. */
export async function watchStore(watching: StoreWatch): Promise<void> {
  const { storeDir, root = "", validOf, onValid, stop, checkMs = CHECK_MS } = watching;
  /** Until when each is looked at. */
  const candidates = new Map<string, number>();
  const watcher = watch(root + storeDir, (_, name) => {
    const path = name === null ? undefined : pathOf(storeDir, name);
    if (path !== undefined) candidates.set(path, Date.now() + HOPE_MS);
  });
  const check = async () => {
    const paths = [...candidates.keys()];
    if (paths.length === 0) return;
    const valid = await validOf(paths);
    if (valid.length > 0) onValid(valid);
    for (const path of valid) candidates.delete(path);
    for (const [path, until] of candidates) if (until < Date.now()) candidates.delete(path);
  };
  try {
    while (!stop.aborted) {
      await setTimeout(checkMs, undefined, { signal: stop }).catch(() => undefined);
      await check();
    }
  } finally {
    watcher.close();
  }
}
