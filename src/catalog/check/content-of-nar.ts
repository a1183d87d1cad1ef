// Reads one NAR again and compares it with every path that has it.
import { fileContradiction, type ReadFile, readFile } from "../../bucket/stored-nar.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { isOpen, MAX_READINGS, type Reading, readContent } from "../facts/read.ts";
import { claimOf, verdictOf } from "../facts/verdict.ts";
import { verdictNow } from "../facts/verdict-now.ts";
import { readable } from "../publish/published.ts";
import { note } from "../rows/findings.ts";
import { pathsOfNar } from "../rows/paths.ts";
import { confirmPath } from "../verify/confirm.ts";
import { deleteUnusedNar, type FalsePath, falsePath, removeFalsePath } from "../verify/remove.ts";
import { checkNarOfPath } from "./nar-of-path.ts";
import type { CheckRun } from "./state.ts";

/** Paths with one NAR that are looked at together. */
const PATHS_BATCH = 500;
/** Bucket operations for a path that is not in order, or gets its signatures or listing. */
const PATH_COST = 4;

/** What is left of a step: bucket operations, and bytes of NARs. */
export interface Budget {
  operations: number;
  bytes: number;
}

interface Part {
  readonly key: string;
  /** The hash part of the path that was looked at last; empty at the beginning. */
  readonly after: string;
  /** Whether the file is also hashed. */
  readonly isHashed: boolean;
}

interface Progress {
  /** The hash part of the last path that was looked at, where the budget did not suffice for all. */
  readonly stoppedAt?: string;
  readonly isUnverifiable: boolean;
}

type Outcome =
  | { readonly kind: "in order" | "changed" | "unverifiable" }
  /** `lastPush` in milliseconds since the epoch. */
  | { readonly kind: "deleted"; readonly lastPush: number };

export async function checkContentOfNar(
  c: CatalogContext,
  run: CheckRun,
  { key, after, isHashed }: Part,
  budget: Budget,
): Promise<Progress> {
  let last = after;
  let isUnverifiable = false;
  let lastFalsePush: number | undefined;
  const readings = { readings: MAX_READINGS, bytes: Math.max(budget.bytes, 1) };
  let file: ReadFile | undefined;
  let stoppedAt: string | undefined;
  for (let isFirst = true; stoppedAt === undefined; isFirst = false) {
    const rows = pathsOfNar(c, key, last, PATHS_BATCH);
    if (rows.length === 0) break;
    const paths = rows.map(({ hash, narinfo }) => ({ hash, info: readable(narinfo, c.config.storeDir) }));
    const infos = paths.flatMap(({ info }) => info ?? []);
    const known = new Set(infos.filter((info) => verdictNow(c, info).kind === "verified"));
    const before = { ...readings };
    const reading = await readContent(c, key, infos.map(claimOf), { isDeep: isFirst, budget: readings });
    budget.operations -= before.readings - readings.readings;
    budget.bytes -= before.bytes - readings.bytes;
    if (isFirst && isHashed) {
      file = await readFile(c.bucket, key);
      budget.operations--;
    }
    for (const { hash, info } of paths) {
      const isUnread = reading !== undefined && info !== undefined && isOpen(reading.facts, claimOf(info));
      if ((budget.operations < PATH_COST || isUnread) && last !== after) {
        stoppedAt = last;
        break;
      }
      last = hash;
      if (info === undefined) continue;
      const outcome = await settle(c, run, { key, info, reading, file, isKnown: known.has(info) });
      if (outcome.kind !== "in order") budget.operations -= PATH_COST;
      if (outcome.kind === "unverifiable") isUnverifiable = true;
      if (outcome.kind === "deleted") lastFalsePush = Math.max(outcome.lastPush, lastFalsePush ?? 0);
    }
  }
  if (lastFalsePush !== undefined) await deleteUnusedNar(c, key, lastFalsePush);
  return { isUnverifiable, ...(stoppedAt !== undefined && { stoppedAt }) };
}

interface Read {
  readonly key: string;
  readonly info: NarInfo;
  /** `undefined` where the object is gone. */
  readonly reading: Reading | undefined;
  readonly file: ReadFile | undefined;
  /** Whether it was verified before. */
  readonly isKnown: boolean;
}

async function settle(
  c: CatalogContext,
  run: CheckRun,
  { key, info, reading, file, isKnown }: Read,
): Promise<Outcome> {
  const { hash } = info.storePath;
  // Damage comes first: of other bytes than the pusher's the content says nothing.
  if (reading === undefined || (file !== undefined && fileContradiction(file, info) !== undefined)) {
    await checkNarOfPath(c, run, hash, file);
    return { kind: "changed" };
  }
  const verdict = verdictOf(reading.facts, claimOf(info));
  if (verdict.kind !== "false") {
    await confirmPath(c, info, isKnown ? undefined : reading.listing);
    if (verdict.kind === "unverifiable" || reading.isUntold) return { kind: "unverifiable" };
    return { kind: isKnown && info.ca === undefined ? "in order" : "changed" };
  }
  if (run.state.repair) {
    const alongside = ({ name, detail }: FalsePath) => note(c, run.kind, "false-narinfo", name, detail, true);
    const lastPush = await removeFalsePath(c, hash, key, { reading, alongside });
    return lastPush === undefined ? { kind: "changed" } : { kind: "deleted", lastPush };
  }
  const found = falsePath(c, hash, key, reading);
  if (found !== undefined) note(c, run.kind, "false-narinfo", found.name, found.detail);
  return { kind: "changed" };
}
