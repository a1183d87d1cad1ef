// A pin as the bucket holds it, `pins/<name>`: small JSON that no route serves.
import type { Keep } from "../../contract/pins.ts";
import { type JsonLimits, scanJson } from "../../http/json-scanner.ts";
import { FormatError } from "../../nix/format-error.ts";
import { parseStorePath } from "../../nix/store-path.ts";
import type { Revision } from "../rows/pins.ts";

/** A revision has some 200 bytes. */
export const MAX_PIN_BYTES = 4 * 1024 * 1024;
const PIN_JSON: JsonLimits = { depth: 8, values: 100_000 };

export interface PinObject {
  readonly keep: Keep;
  /** The newest first. */
  readonly revisions: readonly Revision[];
}

export function formatPin(keep: Keep, revisions: readonly Revision[], storeDir: string): string {
  const value = {
    ...(keep.keepRevisions !== undefined && { keep_revisions: keep.keepRevisions }),
    ...(keep.keepDays !== undefined && { keep_days: keep.keepDays }),
    revisions: revisions.map(({ hash, name, pinned, pinnedBy }) => ({
      store_path: `${storeDir}/${hash}-${name}`,
      pinned: new Date(pinned).toISOString(),
      pinned_by: pinnedBy,
    })),
  };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** Parses the text of {@link formatPin}; `undefined` for any other text. */
export function parsePin(text: string, storeDir: string): PinObject | undefined {
  try {
    // Throws above a limit.
    if (scanJson(new TextEncoder().encode(text), PIN_JSON) !== "object") return undefined;
    const value = JSON.parse(text);
    const revisions = (value.revisions as Record<string, unknown>[]).map((revision): Revision => {
      const { hash, name } = parseStorePath(String(revision.store_path), storeDir);
      const pinned = Date.parse(String(revision.pinned));
      if (Number.isNaN(pinned)) throw new FormatError("no time");
      return { hash, name, pinned, pinnedBy: String(revision.pinned_by) };
    });
    const count = (number: unknown) => (Number.isSafeInteger(number) ? (number as number) : undefined);
    const keepRevisions = count(value.keep_revisions);
    const keepDays = count(value.keep_days);
    if (revisions.length === 0) return undefined;
    return {
      keep: {
        ...(keepRevisions !== undefined && { keepRevisions }),
        ...(keepDays !== undefined && { keepDays }),
      },
      revisions,
    };
  } catch {
    // Not written by this cache, or beyond a limit.
    return undefined;
  }
}
