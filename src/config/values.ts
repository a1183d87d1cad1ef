// Parses single values of variables as wrangler delivers them. A mistake becomes a line that names its variable, and the
// default is used.

export function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

/** Makes a promise when it is first asked for. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A table or list in `wrangler.toml` arrives as a value; in a variable or secret it is JSON text. */
export function jsonOrValue(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    // The caller reports the mistake, without the value, which may be secret.
    return value;
  }
}

/** Trims white space: `echo TOKEN | wrangler secret put` adds a newline. */
export function token(name: string, value: unknown, problems: string[]): string | undefined {
  if (!isSet(value)) return undefined;
  // White space would end the token in an Authorization header and in a netrc file.
  if (typeof value === "string" && /^\S+$/.test(value.trim())) return value.trim();
  problems.push(
    `${name}: must be a text that is not blank and has no white space; set it with 'npm run wrangler -- secret put ${name}'`,
  );
  return undefined;
}

export function priority(name: string, value: unknown, absent: number, problems: string[]): number {
  if (!isSet(value)) return absent;
  const number = typeof value === "string" && /^\d+$/.test(value.trim()) ? Number(value) : value;
  if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 0x7fffffff)
    return number;
  problems.push(`${name}: must be a whole number from 0 (asked first) up; using ${absent}`);
  return absent;
}

export function storeDir(value: unknown, absent: string, problems: string[]): string {
  if (!isSet(value)) return absent;
  if (typeof value === "string" && /^(\/[0-9A-Za-z+\-._?=]+)+$/.test(value)) return value;
  problems.push(`STORE_DIR: must be an absolute path without a final slash; using ${absent}`);
  return absent;
}

/** Words of a text, or a list of texts (TOML, or JSON text). Only an empty list means none; a blank text is a mistake. */
export function words(name: string, value: unknown, problems: string[]): string[] {
  if (!isSet(value)) return [];
  const list = typeof value === "string" && value.trim().startsWith("[") ? jsonOrValue(value) : value;
  if (typeof list === "string" && list.trim().startsWith("[")) {
    problems.push(`${name}: begins like a JSON list but is none`);
    return [];
  }
  const texts: unknown[] = Array.isArray(list) ? list : [list];
  if (!texts.every((text) => typeof text === "string")) {
    problems.push(`${name}: must be keys separated by white space, or a list of them`);
    return [];
  }
  const found = texts.flatMap((text) => text.split(/\s+/)).filter((text) => text !== "");
  if (found.length === 0 && texts.length > 0) problems.push(`${name}: is set, but blank`);
  return found;
}
