// Checks one's own settings: which keys they may have. What the variables are is the Worker's to say (variables.ts).
import { meantBy } from "../config/resembles.ts";
import { isSecret } from "../config/secrets.ts";
import { KEYS } from "./keys.ts";
import { isTable, type Table } from "./table.ts";

/** One line for each mistake; none has a value, which may be secret. `base` is wrangler.toml. */
export function settingsProblems(own: Table, base: Table): string[] {
  return [...Object.keys(own).flatMap((key) => keyProblem(key, base)), ...shapeProblems(own)];
}

function keyProblem(key: string, base: Table): string[] {
  if (Object.hasOwn(KEYS, key)) return [];
  if (isSecret(key)) return [secretProblem(key)];
  if (/^[A-Z][A-Z0-9_]*$/.test(key)) return [`${key}: is a variable, which belongs under [vars]`];
  const names = Object.keys(KEYS);
  if (Object.hasOwn(base, key) || key === "main") {
    return [`${key}: belongs to the program, and changes with it in wrangler.toml`];
  }
  const [likely] = meantBy(key, names);
  return [
    `${key.slice(0, 40)}: unknown setting; allowed: ${names.join(", ")}${likely === undefined ? "" : `; ${likely} is probably meant`}`,
  ];
}

function shapeProblems({ vars, r2_buckets: buckets }: Table): string[] {
  if (vars !== undefined && !isTable(vars)) return ["vars: must be a table of variables"];
  const secrets = Object.keys(vars ?? {})
    .filter(isSecret)
    .map(secretProblem);
  const isBucket =
    buckets === undefined ||
    (Array.isArray(buckets) &&
      buckets.length === 1 &&
      isTable(buckets[0]) &&
      buckets[0].binding === "BUCKET");
  return isBucket
    ? secrets
    : [...secrets, 'r2_buckets: must be one bucket: [[r2_buckets]] with binding = "BUCKET" and bucket_name'];
}

function secretProblem(name: string): string {
  return `${name}: is a secret, which stands in no such file; set it by 'npm run wrangler -- secret put ${name}', on this machine by a line in .dev.vars`;
}
