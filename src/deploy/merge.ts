// Puts one's own settings over wrangler.toml.
import { isTable, type Table } from "./table.ts";

/** What of one's own settings a local cache takes over: the others are names and places at Cloudflare. */
const LOCAL_KEYS = ["vars", "analytics_engine_datasets"];

/** Tables are merged key by key; of bindings (`binding = ...`) those of one name are. All else takes the place of `base`. */
export function merge(base: Table, own: Table): Table {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(own)) merged[key] = mergeValue(merged[key], value);
  return merged;
}

/**
 * For `wrangler dev`: a local cache keeps its name, and with it what was pushed to it. It has no cron trigger, which
 * would not run there, and of which wrangler warns.
 */
export function mergeLocal(base: Table, own: Table): Table {
  const { triggers: _, ...local } = base;
  return merge(local, Object.fromEntries(Object.entries(own).filter(([key]) => LOCAL_KEYS.includes(key))));
}

function mergeValue(before: unknown, value: unknown): unknown {
  if (isTable(before) && isTable(value)) return merge(before, value);
  return isBindings(before) && isBindings(value) ? mergeBindings(before, value) : value;
}

type Binding = Table & { readonly binding: string };

function isBindings(value: unknown): value is readonly Binding[] {
  return Array.isArray(value) && value.every((each) => isTable(each) && typeof each.binding === "string");
}

function mergeBindings(before: readonly Binding[], own: readonly Binding[]): readonly Table[] {
  const named = (list: readonly Binding[], name: string) => list.find(({ binding }) => binding === name);
  return [
    ...before.map((each) => ({ ...each, ...named(own, each.binding) })),
    ...own.filter(({ binding }) => named(before, binding) === undefined),
  ];
}
