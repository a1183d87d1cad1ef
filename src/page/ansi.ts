// Terminal output as HTML: colors and weights (ECMA-48, SGR) as classes, other control sequences left out. It is fed in
// pieces and holds no more than one sequence.
import { escapeHtml } from "./html.ts";
import { nearest, ofIndex } from "./terminal-colors.ts";

/** Characters of a sequence that is given up as text that is not there: no real one is longer. */
const MAX_SEQUENCE = 256;

type State = "text" | "escape" | "csi" | "string";
/** DCS, SOS, OSC, PM and APC in one byte. */
const STRINGS = [0x90, 0x98, 0x9d, 0x9e, 0x9f];
/** ST in one byte, which ends them. */
const END_OF_STRING = 0x9c;

interface Style {
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  inverse: boolean;
  /** 0 to 15. */
  color: number | undefined;
  background: number | undefined;
}

const WEIGHTS = ["bold", "dim", "italic", "underline"] as const;

const PLAIN: Readonly<Style> = {
  ...{ bold: false, dim: false, italic: false, underline: false, inverse: false },
  ...{ color: undefined, background: undefined },
};

/** What the parameters that are no colors change. */
const CHANGES: Readonly<Record<number, Partial<Style>>> = {
  0: PLAIN,
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  39: { color: undefined },
  49: { background: undefined },
};

export interface AnsiHtml {
  push(text: string): string;
  /** What is left, and the end of what is open. */
  end(): string;
}

export function ansiHtml(): AnsiHtml {
  let state: State = "text";
  let sequence = "";
  let style: Style = { ...PLAIN };
  let isOpen = false;
  /** A carriage return came last: a line feed after it is its own. */
  let hadReturn = false;

  return {
    push(text) {
      let out = "";
      let start = 0;
      for (let at = 0; at < text.length; at++) {
        const code = text.charCodeAt(at);
        if (state === "text" && code >= 0x20 && code !== 0x7f && !(code >= 0x80 && code < 0xa0)) {
          hadReturn = false;
          continue;
        }
        if (state === "text") {
          out += escapeHtml(text.slice(start, at));
          out += control(code);
        } else {
          out += within(text.charAt(at), code);
        }
        start = at + 1;
      }
      return state === "text" ? out + escapeHtml(text.slice(start)) : out;
    },
    end() {
      const out = isOpen ? "</span>" : "";
      isOpen = false;
      return out;
    },
  };

  function control(code: number): string {
    const isOwn = code === 0x0a && hadReturn;
    hadReturn = code === 0x0d;
    if (code === 0x1b) state = "escape";
    else if (code === 0x9b) begin("csi");
    else if (STRINGS.includes(code)) begin("string");
    else if (code === 0x0d || (code === 0x0a && !isOwn)) return "\n";
    else if (code === 0x09) return "\t";
    return "";
  }

  function begin(next: State): void {
    state = next;
    sequence = "";
  }

  function within(character: string, code: number): string {
    // It ends a string with a backslash behind it; else another sequence begins.
    if (code === 0x1b) state = "escape";
    // One that never ends must not swallow the log.
    else if (code === 0x0a) {
      state = "text";
      return control(code);
    } else if (state === "escape") {
      if (character === "[") begin("csi");
      // OSC, DCS, SOS, PM, APC: strings up to a terminator.
      else if ("]PX^_".includes(character)) begin("string");
      // Two characters and more: charsets have intermediates first.
      else if (code < 0x20 || code > 0x2f) state = "text";
    } else if (state === "string") {
      if (code === 0x07 || code === END_OF_STRING) state = "text";
    } else if (code >= 0x40 && code <= 0x7e) {
      state = "text";
      if (character === "m") return restyled(sequence);
    } else {
      sequence += character;
      if (sequence.length > MAX_SEQUENCE || code < 0x20) state = "text";
    }
    return "";
  }

  function restyled(parameters: string): string {
    if (!/^[0-9;:]*$/.test(parameters)) return "";
    style = applied(style, parameters.split(";").flatMap(numbersOf));
    const classes = classesOf(style);
    const close = isOpen ? "</span>" : "";
    isOpen = classes !== "";
    return close + (isOpen ? `<span class="${classes}">` : "");
  }
}

/** One parameter, whose own ones stand behind colons, as numbers without those that are not shown. */
function numbersOf(parameter: string): readonly number[] {
  const [code = 0, ...rest] = parameter.split(":").map(Number);
  // The form of an underline; 0 is none.
  if (code === 4 && rest.length > 0) return [rest[0] === 0 ? 24 : 4];
  // A color space stands before red, green and blue.
  return rest.length > 4 ? [code, 2, ...rest.slice(2, 5)] : [code, ...rest];
}

function applied(before: Style, numbers: readonly number[]): Style {
  const style: Style = { ...before };
  for (let at = 0; at < numbers.length; at++) {
    const code = numbers[at] ?? 0;
    const column = (code % 10) + (code >= 90 ? 8 : 0);
    Object.assign(style, CHANGES[code]);
    if (/^(3|9)[0-7]$/.test(`${code}`)) style.color = column;
    else if (/^(4|10)[0-7]$/.test(`${code}`)) style.background = column;
    // 58 is that of an underline.
    else if (code === 38 || code === 48 || code === 58) {
      const isIndexed = numbers[at + 1] === 5;
      const [red = 0, green = 0, blue = 0] = numbers.slice(at + 2);
      const color = isIndexed ? ofIndex(red) : nearest(red, green, blue);
      if (code === 38) style.color = color;
      else if (code === 48) style.background = color;
      at += isIndexed ? 2 : 4;
    }
  }
  return style;
}

/** Those of the stylesheet: the first letters of weights, then the colors. */
function classesOf(style: Style): string {
  const { inverse, color, background } = style;
  const [front, back] = inverse ? [background ?? "i", color ?? "i"] : [color, background];
  return [
    ...WEIGHTS.filter((weight) => style[weight]).map((weight) => weight[0]),
    ...(front === undefined ? [] : [`f${front}`]),
    ...(back === undefined ? [] : [`g${back}`]),
  ].join(" ");
}
