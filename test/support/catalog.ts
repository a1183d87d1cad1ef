/** The catalog's operations under watch: over the real bucket and the real tables, with everything recorded. */
import { env } from "cloudflare:workers";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { publish } from "../../src/catalog/publish/publish.ts";
import { Refused } from "../../src/catalog/refuse.ts";
import { deletePath } from "../../src/catalog/remove/delete.ts";
import { httpErrorOf } from "../../src/catalog-refusals.ts";
import type { Deleted } from "../../src/contract/paths.ts";
import { HttpError } from "../../src/http/errors.ts";
import { type Interference, watch } from "./bucket.ts";
import { hashOf } from "./closure.ts";
import { inCatalog } from "./runs.ts";
import { sha256, type TestPath } from "./store-paths.ts";

export interface Recorded<T> {
  /** The result, or the thrown refusal. */
  readonly result: T | Answer;
  /** Billed bucket operations, in order: `put <key>`. */
  readonly operations: readonly string[];
  readonly billed: { A: number; B: number };
  /** Paths purged from the edge, one list per call. */
  readonly purged: readonly (readonly string[])[];
  /** Milliseconds that it waited. */
  readonly waited: readonly number[];
}

export interface Answer {
  readonly status: number;
  readonly message: string;
}

/** Runs an operation inside the catalog's own object, without delays. */
export async function recorded<T>(
  operation: (c: CatalogContext) => Promise<T>,
  interference: Interference = {},
  changes: Partial<CatalogContext> = {},
): Promise<Recorded<T>> {
  return await inCatalog(async (context): Promise<Recorded<T>> => {
    const watched = watch(context.bucket, interference);
    const purged: (readonly string[])[] = [];
    const waited: number[] = [];
    const c: CatalogContext = {
      ...context,
      bucket: watched.bucket,
      purge: async (paths) => void purged.push(paths),
      wait: async (ms) => void waited.push(ms),
      ...changes,
    };
    const result = await refusable(() => operation(c));
    const operations = watched.operations
      .filter(({ name }) => ["head", "get", "put", "delete", "list"].includes(name))
      .map(({ name, key }) => `${name} ${key}`);
    return { result, operations, billed: watched.billed(), purged, waited };
  });
}

/** Publishes a narinfo under watch. */
export function publishing(
  text: string,
  interference: Interference = {},
  changes: Partial<CatalogContext> = {},
): Promise<Recorded<string>> {
  return recorded((c) => publish(c, text, "PUSH_TOKEN"), interference, changes);
}

/** Deletes a path under watch. */
export function deleting(
  path: TestPath,
  withReferrers = false,
  interference: Interference = {},
  changes: Partial<CatalogContext> = {},
): Promise<Recorded<Deleted>> {
  return recorded((c) => deletePath(c, hashOf(path), withReferrers), interference, changes);
}

async function refusable<T>(run: () => Promise<T>): Promise<T | Answer> {
  try {
    return await run();
  } catch (error) {
    const refusal = error instanceof Refused ? httpErrorOf(error.refusal) : error;
    if (!(refusal instanceof HttpError)) throw error;
    return { status: refusal.status, message: refusal.message };
  }
}

/** Puts a NAR into the bucket as the Worker does, or other bytes under its key. */
export async function storeNar(path: TestPath, bytes = path.nar): Promise<void> {
  await env.BUCKET.put(path.narKey, bytes, { sha256: (await sha256(bytes)).bytes });
}

/** The narinfo as it is served. */
export async function served(path: TestPath): Promise<string | undefined> {
  return (await env.BUCKET.get(path.key))?.text();
}

/** A well-formed signature by a key of this name. */
export function signatureBy(name: string): string {
  return `${name}:${new Uint8Array(64).toBase64()}`;
}

export function withSignature(text: string, name: string): string {
  return `${text}Sig: ${signatureBy(name)}\n`;
}

/** Rows of the catalog, as they are once the alarm that follows a push has come. */
export function rowsOf<T extends Record<string, SqlStorageValue>>(
  query: string,
  ...bindings: string[]
): Promise<T[]> {
  return inCatalog(({ sql }) => sql.exec<T>(query, ...bindings).toArray());
}
