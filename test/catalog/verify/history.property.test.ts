// Every history of honest pushes and lies, with crashes and failures while NARs are verified: what was found false is
// never served again, and no honest push is lost.
// @module-tag slow

import { createHash } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { factsOf } from "../../../src/catalog/rows/nar-facts.ts";
import { newestQueued } from "../../../src/catalog/rows/nar-queue.ts";
import { verifyQueued } from "../../../src/catalog/verify/queue.ts";
import { unwrap } from "../../../src/catalog-client.ts";
import type { PublishOutcome } from "../../../src/contract/paths.ts";
import { HttpError } from "../../../src/http/errors.ts";
import { formatHash, type Hash } from "../../../src/nix/hash.ts";
import { formatNarInfo, type NarInfo, parseNarInfo } from "../../../src/nix/narinfo.ts";
import { encodeNix32 } from "../../../src/nix/nix32.ts";
import { expectFigures } from "../../support/figures.ts";
import { playAll, TEST_TIMEOUT_MS, telling } from "../../support/histories.ts";
import { captureLog } from "../../support/log.ts";
import { memoryBucket } from "../../support/memory-bucket.ts";
import { narOfFile } from "../../support/nar.ts";
import { call } from "../../support/requests.ts";
import { choices } from "../../support/schedule.ts";
import { type Client, type Operation, Simulation } from "../../support/simulation.ts";

captureLog();

const PATHS = 2;
const CONTENTS = 3;
/** More than is unpacked during a publication; random bytes do not become fewer. */
const FILE_BYTES = 33_000;

/** A push of path `path`: its narinfo claims content `claimed`, its NAR contains content `actual`. */
const act = fc.record({
  kind: fc.constantFrom("push", "push", "push", "verify"),
  path: fc.nat(PATHS - 1),
  claimed: fc.nat(CONTENTS - 1),
  actual: fc.nat(CONTENTS - 1),
});
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

const script = fc.array(
  fc.record({
    acts: fc.array(act, { minLength: 1, maxLength: 4 }),
    choices,
    restart: fc.boolean(),
    settles: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);

interface Content {
  readonly narHash: Hash;
  readonly narSize: number;
  readonly narKey: string;
  readonly file: Uint8Array<ArrayBuffer>;
  readonly fileHash: Hash;
}

const sha256 = (bytes: string | Uint8Array): Hash => ({
  algorithm: "sha256",
  bytes: new Uint8Array(createHash("sha256").update(bytes).digest()),
});

const contents = Array.from({ length: CONTENTS }, (_, number): Content => {
  const bytes = new Uint8Array(FILE_BYTES);
  for (let at = 0; at < FILE_BYTES; at += 32) {
    bytes.set(sha256(`${number} ${at}`).bytes.subarray(0, FILE_BYTES - at), at);
  }
  const nar = narOfFile(bytes);
  const file = new Uint8Array(zstdCompressSync(nar));
  const fileHash = sha256(file);
  const narKey = `nar/${encodeNix32(fileHash.bytes)}.nar.zst`;
  return { narHash: sha256(nar), narSize: nar.length, narKey, file, fileHash };
});

const contentOf = (number: number): Content => contents[number] as Content;

function infoOf({ path, claimed, actual }: Act): NarInfo {
  const hash = encodeNix32(sha256(`path ${path}`).bytes.slice(0, 20));
  const { narHash, narSize } = contentOf(claimed);
  const { narKey: url, file, fileHash } = contentOf(actual);
  return {
    storePath: { storeDir: "/nix/store", hash, name: "p", baseName: `${hash}-p` },
    ...{ url, compression: "zstd", fileHash, fileSize: file.length, narHash, narSize },
    ...{ references: [], signatures: [], extra: [] },
  };
}

/** What is served, and what has been found false: a narinfo by its path, NAR and claim. */
class Ledger {
  readonly served = new Map<string, NarInfo>();
  readonly #lies = new Set<string>();
  readonly #false = new Set<string>();
  /** The content of the first honest push that was acknowledged. */
  readonly honest = new Set<string>();

  change(key: string, text: string | undefined): void {
    if (!key.endsWith(".narinfo")) return;
    const hash = key.slice(0, 32);
    if (text === undefined) {
      this.served.delete(hash);
      return;
    }
    const info = parseNarInfo(text, "/nix/store");
    if (this.#false.has(claimOf(info)))
      throw new Error(`${hash} is served again although it was found false`);
    this.served.set(hash, info);
    if (!isTrue(info)) this.#lies.add(claimOf(info));
  }

  /**
   * Everything is verified: whatever is served is true, and every lie that was served is known. Except those in NARs that
   * are given up, because the process has died twice while it read them.
   */
  settled(isGivenUp: (info: NarInfo) => boolean): void {
    const served = [...this.served.values()].filter((info) => !isTrue(info));
    expect(served.filter((info) => !isGivenUp(info)).map(claimOf)).toEqual([]);
    const left = new Set(served.map(claimOf));
    for (const lie of this.#lies) if (!left.has(lie)) this.#false.add(lie);
    for (const hash of this.honest) expect(this.served.has(hash), `${hash} is served`).toBe(true);
  }
}

function isTrue({ url, narHash }: NarInfo): boolean {
  const actual = contents.find(({ narKey }) => narKey === url);
  return actual !== undefined && formatHash(narHash) === formatHash(actual.narHash);
}

function claimOf(info: NarInfo): string {
  return `${info.storePath.hash} ${info.url} ${formatHash(info.narHash)}`;
}

async function push(client: Client, act: Act, ledger: Ledger): Promise<void> {
  const info = infoOf(act);
  const isHonest = act.claimed === act.actual;
  const { narKey, file, fileHash } = contentOf(act.actual);
  await unwrap(() =>
    client.catalog.announceNar({ key: narKey, size: file.length, sha256: fileHash.bytes.toHex() }),
  );
  await client.bucket.put(narKey, file, { sha256: fileHash.bytes });
  const outcome: PublishOutcome = await unwrap(() => client.catalog.publish(formatNarInfo(info), "tester"));
  if (isHonest && outcome !== "kept-existing") ledger.honest.add(info.storePath.hash);
}

async function verify(client: Client): Promise<void> {
  await call(client, async (c) => void (await verifyQueued(c)));
}

function tolerant(label: string, run: (client: Client) => Promise<void>): Operation {
  return {
    label,
    run: async (client) => {
      try {
        await run(client);
      } catch (error) {
        // A refused lie, a failing bucket, a catalog that crashed.
        if (error instanceof HttpError && [400, 409, 503].includes(error.status)) return;
        if (error instanceof Error && /internal error|connection lost|Reduce your rate/.test(error.message))
          return;
        throw error;
      }
    },
  };
}

it(
  "what was found false is never served again, and no honest push is lost",
  () =>
    playAll(script, async (storage, rounds) => {
      const ledger = new Ledger();
      const world: Simulation = new Simulation({
        sql: storage.sql,
        transaction: (run) => storage.transactionSync(run),
        bucket: memoryBucket(() => world.now),
        onChange: (key, object) => ledger.change(key, object?.text),
      });
      const settle = async () => {
        for (let alarm = 0; alarm < 20; alarm++) {
          await world.advance(400_000);
          await world.run([tolerant("verify", verify)]);
          if (newestQueued(world.context) === undefined) {
            return ledger.settled(({ url, compression }) => {
              const known = factsOf(world.context, url)?.facts[compression];
              return known?.kind === "unverifiable";
            });
          }
        }
        throw new Error("the queue does not end");
      };
      await telling(world, async () => {
        for (const round of rounds) {
          const operations = round.acts.map((act) =>
            act.kind === "verify"
              ? tolerant("verify", verify)
              : tolerant(`push ${JSON.stringify(act)}`, (client) => push(client, act, ledger)),
          );
          await world.run(operations, round.choices);
          await world.advance(3000);
          if (round.restart) world.restart();
          if (round.settles) await settle();
          await expectFigures(world.context);
        }
        await settle();
      });
    }),
  TEST_TIMEOUT_MS,
);
