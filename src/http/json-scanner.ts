// A scanner of JSON (RFC 8259): says whether bytes are a text that JSON.parse accepts, before anything is built of them.
// Its memory is a byte for each level of nesting.
import { piecesOf } from "./body.ts";
import { HttpError, LimitError } from "./errors.ts";

/** What a JSON text may have beside its bytes. */
export interface JsonLimits {
  /** Levels of arrays and objects within each other. */
  readonly depth: number;
  /** Values: texts, numbers, literals, arrays and objects; names of properties do not count. */
  readonly values: number;
}

/** `not-utf8` says nothing about the form. */
export type JsonForm = "object" | "other" | "malformed" | "not-utf8";

/** What may come next. */
const VALUE = 0;
/** A value, or the end of the array that has just begun. */
const FIRST_ITEM = 1;
/** A name, or the end of the object that has just begun. */
const FIRST_NAME = 2;
const NAME = 3;
const COLON = 4;
const BEHIND_VALUE = 5;
const IN_TEXT = 6;
const ESCAPE = 7;
/** The first of the four digits of an escape. */
const HEX = 8;
const LAST_HEX = 11;
const LITERAL = 12;
const MALFORMED = 13;
/** The rest is in numbers. */
const MINUS = 14;
/** Behind a zero with which a number begins. */
const ZERO = 15;
const DIGITS = 16;
const POINT = 17;
const FRACTION = 18;
const EXPONENT = 19;
const EXPONENT_SIGN = 20;
const EXPONENT_DIGITS = 21;

const OBJECT = 1;
const ARRAY = 2;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const LITERALS: Readonly<Record<number, Uint8Array>> = Object.fromEntries(
  ["true", "false", "null"].map((word) => [word.charCodeAt(0), new TextEncoder().encode(word)]),
);
const NONE = new Uint8Array();

/** Takes a text in pieces. */
export class JsonScanner {
  readonly #limits: JsonLimits;
  /** Begins the messages, such as "the listing". */
  readonly #what: string;
  readonly #levels: Uint8Array;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #at: number = VALUE;
  #depth = 0;
  #values = 0;
  #isName = false;
  #isObject = false;
  #isUtf8 = true;
  #literal: Uint8Array = NONE;
  #matched = 0;

  constructor(limits: JsonLimits, what = "the body") {
    this.#limits = limits;
    this.#what = what;
    this.#levels = new Uint8Array(limits.depth);
  }

  /**
   * Throws {@link LimitError} 400 for an object that is nested too deeply, 413 for too many values, and {@link HttpError}
   * 400 for anything else that is nested too deeply.
   */
  push(piece: Uint8Array): void {
    if (this.#at === MALFORMED || !this.#isUtf8) return;
    try {
      this.#utf8.decode(piece, { stream: true });
    } catch {
      this.#isUtf8 = false;
      return;
    }
    for (let index = 0; index < piece.length; index++) {
      if (this.#at === IN_TEXT) index = endOfPlainText(piece, index);
      const byte = piece[index];
      if (byte !== undefined) this.#at = this.#next(byte);
    }
  }

  /** What the text is. */
  end(): JsonForm {
    // Only a number is finished by what follows.
    if (this.#at !== MALFORMED) this.#at = this.#next(SPACE);
    try {
      this.#utf8.decode();
    } catch {
      this.#isUtf8 = false;
    }
    if (!this.#isUtf8) return "not-utf8";
    if (this.#at !== BEHIND_VALUE || this.#depth > 0) return "malformed";
    return this.#isObject ? "object" : "other";
  }

  #next(byte: number): number {
    switch (this.#at) {
      case VALUE:
        return isSpace(byte) ? VALUE : this.#value(byte);
      case FIRST_ITEM:
        if (isSpace(byte)) return FIRST_ITEM;
        return byte === 0x5d ? this.#close(ARRAY) : this.#value(byte);
      case FIRST_NAME:
        if (isSpace(byte)) return FIRST_NAME;
        return byte === 0x7d ? this.#close(OBJECT) : this.#name(byte);
      case NAME:
        return isSpace(byte) ? NAME : this.#name(byte);
      case COLON:
        if (isSpace(byte)) return COLON;
        return byte === 0x3a ? VALUE : MALFORMED;
      case BEHIND_VALUE:
        return this.#behind(byte);
      case IN_TEXT:
        if (byte === QUOTE) return this.#isName ? COLON : BEHIND_VALUE;
        if (byte === BACKSLASH) return ESCAPE;
        return byte < SPACE ? MALFORMED : IN_TEXT;
      case ESCAPE:
        if (byte === 0x75) return HEX;
        return ESCAPED.includes(byte) ? IN_TEXT : MALFORMED;
      case HEX:
      case HEX + 1:
      case HEX + 2:
        return isHex(byte) ? this.#at + 1 : MALFORMED;
      case LAST_HEX:
        return isHex(byte) ? IN_TEXT : MALFORMED;
      case LITERAL:
        if (byte !== this.#literal[this.#matched++]) return MALFORMED;
        return this.#matched === this.#literal.length ? BEHIND_VALUE : LITERAL;
      case MALFORMED:
        return MALFORMED;
      default:
        return this.#number(byte);
    }
  }

  #value(byte: number): number {
    this.#values++;
    if (this.#values > this.#limits.values) {
      throw new LimitError(413, `${this.#what} has more than ${this.#limits.values} JSON values, the limit`);
    }
    if (byte === 0x7b || byte === 0x5b) return this.#open(byte === 0x7b ? OBJECT : ARRAY);
    if (byte === QUOTE) {
      this.#isName = false;
      return IN_TEXT;
    }
    if (byte === 0x2d) return MINUS;
    if (byte === 0x30) return ZERO;
    if (isDigit(byte)) return DIGITS;
    this.#literal = LITERALS[byte] ?? NONE;
    this.#matched = 1;
    return this.#literal === NONE ? MALFORMED : LITERAL;
  }

  #open(kind: typeof OBJECT | typeof ARRAY): number {
    if (this.#depth === this.#limits.depth) {
      const message = `${this.#what} is JSON that is nested deeper than ${this.#limits.depth} levels, the limit`;
      // Brackets alone are nothing that a client means.
      throw this.#isObject ? new LimitError(400, message) : new HttpError(400, message);
    }
    if (this.#depth === 0) this.#isObject = kind === OBJECT;
    this.#levels[this.#depth++] = kind;
    return kind === OBJECT ? FIRST_NAME : FIRST_ITEM;
  }

  #close(kind: number): number {
    if (this.#levels[this.#depth - 1] !== kind) return MALFORMED;
    this.#depth--;
    return BEHIND_VALUE;
  }

  #name(byte: number): number {
    this.#isName = true;
    return byte === QUOTE ? IN_TEXT : MALFORMED;
  }

  #behind(byte: number): number {
    if (isSpace(byte)) return BEHIND_VALUE;
    if (this.#depth === 0) return MALFORMED;
    if (byte === 0x7d) return this.#close(OBJECT);
    if (byte === 0x5d) return this.#close(ARRAY);
    if (byte !== 0x2c) return MALFORMED;
    return this.#levels[this.#depth - 1] === OBJECT ? NAME : VALUE;
  }

  #number(byte: number): number {
    const digit = isDigit(byte);
    switch (this.#at) {
      case MINUS:
        return byte === 0x30 ? ZERO : digit ? DIGITS : MALFORMED;
      case POINT:
        return digit ? FRACTION : MALFORMED;
      case EXPONENT:
        if (byte === 0x2b || byte === 0x2d) return EXPONENT_SIGN;
        return digit ? EXPONENT_DIGITS : MALFORMED;
      case EXPONENT_SIGN:
        return digit ? EXPONENT_DIGITS : MALFORMED;
      case DIGITS:
      case FRACTION:
      case EXPONENT_DIGITS:
        if (digit) return this.#at;
    }
    const isWhole = this.#at === ZERO || this.#at === DIGITS;
    if (isWhole && byte === 0x2e) return POINT;
    if (this.#at !== EXPONENT_DIGITS && (byte | 0x20) === 0x65) return EXPONENT;
    return this.#behind(byte);
  }
}

const ESCAPED: readonly number[] = [...'"\\/bfnrt'].map((letter) => letter.charCodeAt(0));

/** Most of a JSON text is in texts: skips what has no meaning there. */
function endOfPlainText(piece: Uint8Array, from: number): number {
  let at = from;
  for (; at < piece.length; at++) {
    const byte = piece[at] ?? 0;
    if (byte === QUOTE || byte === BACKSLASH || byte < SPACE) break;
  }
  return at;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number): boolean {
  const letter = byte | 0x20;
  return isDigit(byte) || (letter >= 0x61 && letter <= 0x66);
}

/** What a whole text is; throws like {@link JsonScanner.push}. */
export function scanJson(text: Uint8Array, limits: JsonLimits, what?: string): JsonForm {
  const scanner = new JsonScanner(limits, what);
  // UTF-8 is checked by decoding it, a piece at a time.
  for (const piece of piecesOf(text)) scanner.push(piece);
  return scanner.end();
}
