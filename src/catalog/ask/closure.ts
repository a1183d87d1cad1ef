// The closure of a path, counted as far as one answer may: a system's closure can be most of the cache.
import { type Closure, MAX_CLOSURE } from "../../contract/paths.ts";
import type { CatalogContext } from "../context.ts";
import { closureMembers } from "../rows/closure.ts";
import { upstreamPathsOf } from "../rows/upstream-paths.ts";

/** Paths that are read in one turn. Between turns pushes have theirs. */
const BATCH = 500;
/** Characters of narinfos: most of a mebibyte each can be references. Enough for {@link MAX_CLOSURE} usual ones. */
const MAX_TEXT = 32 * 1024 * 1024;

/** Reads at most {@link MAX_CLOSURE} paths, whatever number of references each has. */
export async function closureOf(c: CatalogContext, hash: string): Promise<Closure> {
  const closure = { paths: 0, nar_size: 0, file_size: 0, upstream: 0, missing: 0, more: false };
  const known = new Set([hash]);
  const todo = [hash];
  for (let read = 0, text = 0, pause = BATCH; read < todo.length; ) {
    if (text > MAX_TEXT) return { ...closure, more: true };
    if (read >= pause) {
      await c.wait(0);
      pause = read + BATCH;
    }
    const batch = todo.slice(read, read + BATCH);
    read += batch.length;
    const found = closureMembers(c, batch);
    const isHere = new Set(found.map(({ hash }) => hash));
    const absent = batch.filter((hash) => !isHere.has(hash));
    const upstream = upstreamPathsOf(c, absent).size;
    closure.upstream += upstream;
    closure.missing += absent.length - upstream;
    for (const { nar_size, file_size, narinfo } of found) {
      closure.paths++;
      closure.nar_size += nar_size;
      closure.file_size += file_size;
      text += narinfo.length;
      for (const reference of referencesIn(narinfo)) {
        if (known.has(reference)) continue;
        if (known.size === MAX_CLOSURE) {
          closure.more = true;
          break;
        }
        known.add(reference);
        todo.push(reference);
      }
    }
  }
  return closure;
}

/** Hash parts. The catalog's texts are valid: a whole parse would take most of the time. */
function* referencesIn(narinfo: string): Generator<string> {
  for (const [, names = ""] of narinfo.matchAll(/^References: (.*)$/gm)) {
    for (const name of names.split(" ")) if (name !== "") yield name.slice(0, 32);
  }
}
