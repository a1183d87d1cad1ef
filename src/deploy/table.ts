// Tables as TOML has them: telling them from other values, and writing them.

export type Table = Readonly<Record<string, unknown>>;

export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The lines of a table: values first, then its tables and lists of tables under headers, as `[vars.CACHES.team]`. */
export function tomlOf(table: Table, path: readonly string[] = []): string[] {
  const lines: string[] = [];
  const below: string[] = [];
  for (const [key, value] of Object.entries(table)) {
    const inner = [...path, key];
    if (isTable(value) && Object.keys(value).length > 0) {
      // A table with nothing but tables needs no header.
      const isBare = Object.values(value).every(
        (each) => isTables(each) || (isTable(each) && Object.keys(each).length > 0),
      );
      below.push(...(isBare ? [] : ["", `[${headerOf(inner)}]`]), ...tomlOf(value, inner));
    } else if (isTables(value)) {
      for (const each of value) below.push("", `[[${headerOf(inner)}]]`, ...itemOf(each));
    } else lines.push(`${keyOf(key)} = ${tomlValue(value)}`);
  }
  return [...lines, ...below];
}

function isTables(value: unknown): value is readonly Table[] {
  return Array.isArray(value) && value.length > 0 && value.every(isTable);
}

function itemOf(table: Table): string[] {
  return Object.entries(table).map(([key, value]) => `${keyOf(key)} = ${tomlValue(value)}`);
}

/** On one line. */
export function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(", ")}]`;
  if (!isTable(value)) return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, each]) => `${keyOf(key)} = ${tomlValue(each)}`);
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
}

function headerOf(path: readonly string[]): string {
  return path.map(keyOf).join(".");
}

function keyOf(key: string): string {
  return /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
}
