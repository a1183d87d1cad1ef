// Pins: names for paths that must stay.
/** A pin's name: one segment of a URL that needs no escapes. */
export const PIN_NAME_CLASS = "[0-9A-Za-z][0-9A-Za-z._+=-]{0,127}";

/** How long revisions stay that are not the newest, which always does. Neither: for ever. */
export interface Keep {
  /** So many of the newest stay, the very newest included. */
  readonly keepRevisions?: number;
  /** Those stay that were pinned within so many days. */
  readonly keepDays?: number;
}

export interface PinRequest extends Keep {
  readonly hash: string;
  /** Of the store path, after the dash. */
  readonly name: string;
}

/** Times are ISO 8601 in UTC; as it goes to the client. */
export interface Pin {
  readonly name: string;
  /** The newest. */
  readonly store_path: string;
  readonly keep_revisions: number | null;
  readonly keep_days: number | null;
  /** The newest first. */
  readonly revisions: readonly {
    readonly store_path: string;
    readonly pinned: string;
    readonly pinned_by: string;
    /** When it ceases to be kept; null: not by time. */
    readonly until: string | null;
  }[];
}
