// All scenarios, in the order of the table.
import { API } from "./api.ts";
import { NARS } from "./nar.ts";
import { NARINFO } from "./narinfo.ts";
import { NIX_COPY } from "./nix-copy.ts";
import type { Scenario } from "./scenario.ts";

export const SCENARIOS: readonly Scenario[] = [...NARINFO, ...NARS, ...NIX_COPY, ...API];
