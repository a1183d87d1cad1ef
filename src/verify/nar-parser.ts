/** A NAR parsed from chunks of any size, in memory that grows with the depth of the tree only. */

import { MAX_TARGET_BYTES, type NarVisitor, narGrammar, type Wanted } from "./nar-grammar.ts";
import { isFalse } from "./refusal.ts";

export interface NarParser {
  /** Throws Refusal. */
  push(chunk: Uint8Array): void;
  /** Call it after the last chunk. Throws Refusal if the NAR is incomplete. */
  end(): void;
}

/** Strings and contents are preceded by a length of this many bytes, and padded with zeros to a multiple of it. */
const LENGTH_BYTES = 8;

export function narParser(visitors: readonly NarVisitor[]): NarParser {
  const grammar = narGrammar(visitors);
  let wanted: Wanted | undefined;
  const buffer = new Uint8Array(MAX_TARGET_BYTES);
  let filled = 0;
  /** The kind of the next bytes, and how many of them are left. */
  let part: "length" | "string" | "contents" | "padding" = "length";
  let left = LENGTH_BYTES;
  /** The length of the string or contents that is being read. */
  let size = 0;
  /** Bytes of the NAR before the current chunk. */
  let offset = 0;
  resume();

  return {
    push(chunk) {
      for (let at = 0; at < chunk.length; ) {
        if (wanted === undefined) throw isFalse("there are bytes after the end of the NAR");
        const piece = chunk.subarray(at, at + left);
        at += piece.length;
        left -= piece.length;
        take(piece);
        while (left === 0 && wanted !== undefined) finishPart(wanted, offset + at);
      }
      offset += chunk.length;
    },
    end() {
      if (wanted !== undefined) throw isFalse("the NAR ends too early");
    },
  };

  function resume(): void {
    const { value } = grammar.next(buffer.subarray(0, filled));
    wanted = value ?? undefined;
    part = "length";
    left = LENGTH_BYTES;
    filled = 0;
  }

  function take(piece: Uint8Array): void {
    if (part === "contents") {
      for (const visitor of visitors) visitor.contents?.(piece);
    } else if (part === "padding") {
      if (piece.some((byte) => byte !== 0)) throw isFalse("the NAR has padding that is not zero");
    } else {
      buffer.set(piece, filled);
      filled += piece.length;
    }
  }

  function finishPart(what: Wanted, position: number): void {
    switch (part) {
      case "length":
        size = readLength();
        filled = 0;
        left = size;
        if (typeof what === "number") {
          if (size > what) throw isFalse("the NAR has a string that is too long");
          part = "string";
        } else {
          if (!Number.isSafeInteger(size)) throw isFalse("the NAR has a file of an impossible size");
          for (const visitor of visitors) visitor.file?.(size, what.isExecutable, position);
          part = "contents";
        }
        break;
      case "string":
      case "contents":
        part = "padding";
        left = (LENGTH_BYTES - (size % LENGTH_BYTES)) % LENGTH_BYTES;
        break;
      case "padding":
        resume();
        break;
    }
  }

  function readLength(): number {
    const view = new DataView(buffer.buffer, 0, LENGTH_BYTES);
    return view.getUint32(0, true) + view.getUint32(LENGTH_BYTES / 2, true) * 2 ** 32;
  }
}
