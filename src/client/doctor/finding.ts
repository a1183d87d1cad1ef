// What a check of `nix-cache doctor` finds.

export interface Finding {
  /** The name of the check. */
  readonly check: string;
  /** `skipped`: it could not be looked at, and `detail` says why. */
  readonly state: "ok" | "fault" | "warning" | "skipped";
  /** One line. */
  readonly detail: string;
  /** What to do; of a fault or warning. */
  readonly remedy?: string;
}

/** Makes the findings of one check. */
export function findingsOf(check: string) {
  return {
    ok: (detail: string): Finding => ({ check, state: "ok", detail }),
    skipped: (detail: string): Finding => ({ check, state: "skipped", detail }),
    fault: (detail: string, remedy: string): Finding => ({ check, state: "fault", detail, remedy }),
    warning: (detail: string, remedy: string): Finding => ({ check, state: "warning", detail, remedy }),
  };
}
