// The differences of two tables, one line for each value.
import { isTable, type Table, tomlValue } from "./table.ts";

/** `key: before → after`, `key: new, after` and `key: no longer, before`; keys of inner tables as `vars.PRIORITY`. */
export function changes(before: Table, after: Table, path = ""): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => {
    const [was, is] = [before[key], after[key]];
    if (isTable(is) && (was === undefined || isTable(was))) return changes(was ?? {}, is, `${path}${key}.`);
    if (JSON.stringify(was) === JSON.stringify(is)) return [];
    const name = `${path}${key}`;
    if (was === undefined) return [`${name}: new, ${tomlValue(is)}`];
    if (is === undefined) return [`${name}: no longer, ${tomlValue(was)}`];
    return [`${name}: ${tomlValue(was)} → ${tomlValue(is)}`];
  });
}

/** The part of `after` that is not in `before`, as a table: lines to move from an edited file into another one. */
export function additions(before: Table, after: Table): Table {
  const found: Record<string, unknown> = {};
  for (const [key, is] of Object.entries(after)) {
    const was = before[key];
    if (JSON.stringify(was) === JSON.stringify(is)) continue;
    found[key] = isTable(was) && isTable(is) ? additions(was, is) : is;
  }
  return found;
}
