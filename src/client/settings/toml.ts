// The part of TOML that the configuration file needs: tables, and keys with texts, whole numbers and booleans.

export type TomlValue = string | number | boolean;

/** Keys of a table are `table.key`. Throws an Error with the number of the line. */
export function parseToml(text: string): Map<string, TomlValue> {
  const values = new Map<string, TomlValue>();
  let table = "";
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, name] = /^\[([A-Za-z0-9_.-]+)\]\s*(?:#.*)?$/.exec(line) ?? [];
    if (name !== undefined) {
      table = `${name}.`;
      continue;
    }
    const [, key, rest] = /^([A-Za-z0-9_-]+)\s*=\s*(.*)$/.exec(line) ?? [];
    const value = rest === undefined ? undefined : readValue(rest);
    // The line may have a token, so it is not repeated.
    if (key === undefined || value === undefined) throw new Error(`line ${index + 1} is not KEY = "VALUE"`);
    if (values.has(table + key)) throw new Error(`line ${index + 1} sets '${table}${key}' again`);
    values.set(table + key, value);
  }
  return values;
}

function readValue(text: string): TomlValue | undefined {
  const [, literal] = /^'([^']*)'\s*(?:#.*)?$/.exec(text) ?? [];
  if (literal !== undefined) return literal;
  const [, quoted] = /^("(?:[^"\\]|\\.)*")\s*(?:#.*)?$/.exec(text) ?? [];
  if (quoted !== undefined) return unescaped(quoted);
  const [, word] = /^([A-Za-z0-9_+-]+)\s*(?:#.*)?$/.exec(text) ?? [];
  if (word === "true" || word === "false") return word === "true";
  return word !== undefined && /^[+-]?[0-9]+$/.test(word) ? Number(word) : undefined;
}

/** TOML's escapes are JSON's, and \U with eight digits. */
function unescaped(quoted: string): string | undefined {
  try {
    return String(JSON.parse(quoted));
  } catch {
    // An escape that JSON does not have.
    return undefined;
  }
}
