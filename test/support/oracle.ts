/** The invariants of every history, checked at every point that a client can observe. */
import { formatHash } from "../../src/nix/hash.ts";
import { narKeyOfUrl } from "../../src/nix/nar-url.ts";
import { type NarInfo, parseNarInfo } from "../../src/nix/narinfo.ts";
import type { Build } from "./graph.ts";
import type { Snapshot } from "./snapshot.ts";

/** A build that was confirmed to a client. */
interface Acknowledged {
  readonly narHash: string;
  readonly signatures: ReadonlySet<string>;
  /** When the latest confirmed request began. */
  readonly began: number;
}

interface Deletion {
  readonly hashes: ReadonlySet<string>;
  ended: number | undefined;
}

export interface Rules {
  /** References are not checked. */
  readonly isOpen: boolean;
  /** Whether an upstream has the path with this hash part. */
  readonly isUpstream?: (hash: string) => boolean;
  /** Milliseconds for which a NAR must outlive its last narinfo and its last upload. */
  readonly graceMs: number;
  /** Other tools damage the bucket: meanwhile no invariant holds. */
  readonly isDamaged: boolean;
  /** A collection: called for every narinfo that disappears without a request; throws if that is not allowed. */
  readonly onCollected?: (hash: string) => void;
  /** Steps so far. */
  readonly step: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export class Oracle {
  readonly objects = new Map<string, Snapshot>();
  /** The narinfos that clients see, by hash part. */
  readonly served = new Map<string, NarInfo>();
  /** Paths that the edge may hold an older narinfo or NAR of. */
  readonly stale = new Set<string>();
  readonly #rules: Rules;
  readonly #acknowledged = new Map<string, Acknowledged>();
  readonly #deletions: Deletion[] = [];
  /** When a narinfo last vanished, in steps. */
  readonly #vanished = new Map<string, number>();
  /** When a NAR was last named by a narinfo or uploaded, in milliseconds. */
  readonly #needed = new Map<string, number>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** An object was written or deleted. Throws if that is not allowed. */
  change(key: string, object: Snapshot | undefined): void {
    const earlier = this.objects.get(key);
    if (JSON.stringify(earlier) === JSON.stringify(object)) return;
    if (earlier !== undefined) this.stale.add(`/${key}`);
    if (object === undefined) this.objects.delete(key);
    else this.objects.set(key, object);
    if (key.endsWith(".narinfo")) this.#narinfoChanged(key.slice(0, 32), object);
    else if (object === undefined && key.startsWith("nar/")) this.#narDeleted(key);
    if (!this.#rules.isDamaged) this.checkServed();
  }

  purged(paths: readonly string[]): void {
    for (const path of paths) this.stale.delete(path);
  }

  /** A client asks for the deletion of these; the result says that it was answered, however. */
  deletionBegins(hashes: readonly string[]): () => void {
    const deletion: Deletion = { hashes: new Set(hashes), ended: undefined };
    this.#deletions.push(deletion);
    return () => {
      deletion.ended = this.#rules.step();
    };
  }

  /** A client was told that a NAR is stored. */
  narAcknowledged(key: string): void {
    const { graceMs, isDamaged } = this.#rules;
    if (graceMs > 0 && !isDamaged && !this.objects.has(key))
      fail(`${key} is not there although its upload was acknowledged`);
    this.#needed.set(key, this.#rules.now());
  }

  /** A client was told that this build, with these signatures, is published; its request began at step `began`. */
  acknowledged(build: Build, signatures: readonly string[], began: number): void {
    const { hash } = build;
    if (this.#rules.isDamaged || (this.#vanished.get(hash) ?? -1) >= began) return;
    const narHash = formatHash(build.info.narHash);
    const earlier = this.#acknowledged.get(hash);
    this.#acknowledged.set(hash, {
      narHash,
      signatures: new Set([...(earlier?.signatures ?? []), ...signatures]),
      began: Math.max(began, earlier?.began ?? 0),
    });
    this.#checkAcknowledged(hash);
  }

  #narinfoChanged(hash: string, object: Snapshot | undefined): void {
    const earlier = this.served.get(hash);
    if (earlier !== undefined) this.#needed.set(narKeyOfUrl(earlier.url), this.#rules.now());
    if (object !== undefined) {
      const info = readable(object.text);
      if (info !== undefined) this.served.set(hash, info);
      else if (this.#rules.isDamaged) this.served.delete(hash);
      else fail(`${hash} is served and cannot be read`);
      if (this.#acknowledged.has(hash)) this.#checkAcknowledged(hash);
      return;
    }
    this.served.delete(hash);
    if (earlier === undefined || this.#rules.isDamaged) return;
    this.#vanished.set(hash, this.#rules.step());
    const began = this.#acknowledged.get(hash)?.began ?? 0;
    const isAsked = this.#deletions.some(
      ({ hashes, ended }) => hashes.has(hash) && (ended === undefined || ended >= began),
    );
    const { onCollected } = this.#rules;
    if (onCollected === undefined) {
      if (!isAsked) fail(`${hash} was deleted, and nobody asked for it`);
    } else if (!this.#deletions.some(({ hashes, ended }) => hashes.has(hash) && ended === undefined)) {
      onCollected(hash);
    }
    this.#acknowledged.delete(hash);
  }

  #checkAcknowledged(hash: string): void {
    const info = this.served.get(hash);
    const acknowledged = this.#acknowledged.get(hash);
    if (acknowledged === undefined) return;
    if (info === undefined) fail(`${hash} is not served although it was acknowledged`);
    if (formatHash(info.narHash) !== acknowledged.narHash) {
      fail(`${hash}: the first acknowledged build was replaced`);
    }
    const lost = [...acknowledged.signatures].filter((signature) => !info.signatures.includes(signature));
    if (lost.length > 0) fail(`${hash} has lost signatures: ${lost.join(", ")}`);
  }

  #narDeleted(key: string): void {
    if (this.#rules.isDamaged) return;
    const age = this.#rules.now() - (this.#needed.get(key) ?? Number.NEGATIVE_INFINITY);
    if (age < this.#rules.graceMs) fail(`${key} was deleted ${age} ms after somebody needed it`);
  }

  /** Everything that is served can be used. */
  checkServed(): void {
    for (const [hash, info] of this.served) {
      const key = narKeyOfUrl(info.url);
      const nar = this.objects.get(key);
      if (nar === undefined) fail(`${hash} is served, its NAR ${key} is not`);
      else if (nar.size !== info.fileSize) fail(`${hash}: ${key} has ${nar.size} bytes`);
      else if (nar.sha256 !== info.fileHash?.bytes.toHex()) fail(`${hash}: ${key} has another hash`);
      if (this.#rules.isOpen) continue;
      for (const reference of info.references) {
        const part = reference.slice(0, 32);
        if (!this.served.has(part) && !this.#rules.isUpstream?.(part))
          fail(`${hash} is served, ${reference} is not`);
      }
    }
  }
}

function fail(message: string): never {
  throw new Error(message);
}

function readable(text = ""): NarInfo | undefined {
  try {
    return parseNarInfo(text, "/nix/store");
  } catch {
    // The caller knows whether it may be.
    return undefined;
  }
}
