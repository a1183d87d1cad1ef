// Checks one's own settings: which keys they may have, and where. What the variables are is the Worker's to say
// (variables.ts).
import { SETTINGS_MEANING } from "../config/reference.ts";
import { meantBy } from "../config/resembles.ts";
import { isSecret } from "../config/secrets.ts";
import { KEYS } from "./keys.ts";
import { misplaced } from "./misplaced.ts";
import { secretProblem } from "./secret.ts";
import { isTable, type Table } from "./table.ts";

/** One line for each mistake; none has a value, which may be secret. `base` is wrangler.toml. */
export function settingsProblems(own: Table, base: Table): string[] {
  const ofKeys = Object.keys(own).flatMap((key) => keyProblem(key, base));
  return [...ofKeys, ...misplaced(own).problems, ...shapeProblems(own)];
}

function keyProblem(key: string, base: Table): string[] {
  if (Object.hasOwn(KEYS, key)) return [];
  if (isSecret(key)) return [secretProblem(key)];
  if (/^[A-Z][A-Z0-9_]*$/.test(key)) return [`${key}: is a variable, which belongs under [vars]`];
  const names = Object.keys(KEYS);
  if (Object.hasOwn(base, key) || key === "main") {
    return [`${key}: belongs to the program, and changes with it in wrangler.toml`];
  }
  if (Object.hasOwn(SETTINGS_MEANING, key)) {
    return [`${key}: is a setting of a cache, which belongs below [vars.CACHES.nix-cache]`];
  }
  const [likely] = meantBy(key, names);
  return [
    `${key.slice(0, 40)}: unknown setting; allowed: ${names.join(", ")}${likely === undefined ? "" : `; ${likely} is probably meant`}`,
  ];
}

function shapeProblems({ vars, r2_buckets: buckets }: Table): string[] {
  if (vars !== undefined && !isTable(vars)) return ["vars: must be a table of variables"];
  const isBucket =
    buckets === undefined ||
    (Array.isArray(buckets) &&
      buckets.length === 1 &&
      isTable(buckets[0]) &&
      buckets[0].binding === "BUCKET");
  return isBucket
    ? []
    : ['r2_buckets: must be one bucket: [[r2_buckets]] with binding = "BUCKET" and bucket_name'];
}
