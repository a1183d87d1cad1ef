// Minted tokens as the catalog keeps them.
import type { Grant } from "../auth/grants.ts";

export interface NewToken {
  readonly id: string;
  readonly name: string;
  readonly grants: readonly Grant[];
  readonly mintedBy: string;
  readonly parent: string | undefined;
  /** Milliseconds since the epoch, like `expiresAt`. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** As the API shows it; times are ISO 8601 in UTC. */
export interface TokenReport {
  readonly id: string;
  readonly name: string;
  readonly grants: readonly Grant[];
  readonly minted_by: string;
  readonly created: string;
  readonly expires: string;
  /** Absent where it is not. */
  readonly revoked?: string;
}
