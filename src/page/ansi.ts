// Terminal output as HTML: colours and weights (ECMA-48, SGR) as classes, other control sequences left out. It is fed in
// pieces and holds no more than one sequence.
import { escapeHtml } from "./html.ts";
import { nearest, ofIndex } from "./terminal-colours.ts";

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
  colour: number | undefined;
  background: number | undefined;
}

const PLAIN: Readonly<Style> = {
  ...{ bold: false, dim: false, italic: false, underline: false, inverse: false },
  ...{ colour: undefined, background: undefined },
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
  // A colour space stands before red, green and blue.
  return rest.length > 4 ? [code, 2, ...rest.slice(2, 5)] : [code, ...rest];
}

function applied(before: Style, numbers: readonly number[]): Style {
  let style: Style = { ...before };
  for (let at = 0; at < numbers.length; at++) {
    const code = numbers[at] ?? 0;
    if (code === 0) style = { ...PLAIN };
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 7) style.inverse = true;
    else if (code === 22) Object.assign(style, { bold: false, dim: false });
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 27) style.inverse = false;
    else if (code >= 30 && code <= 37) style.colour = code - 30;
    else if (code >= 90 && code <= 97) style.colour = code - 90 + 8;
    else if (code === 39) style.colour = undefined;
    else if (code >= 40 && code <= 47) style.background = code - 40;
    else if (code >= 100 && code <= 107) style.background = code - 100 + 8;
    else if (code === 49) style.background = undefined;
    else if (code === 38 || code === 48 || code === 58) {
      const isIndexed = numbers[at + 1] === 5;
      const [red = 0, green = 0, blue = 0] = numbers.slice(at + 2);
      const colour = isIndexed ? ofIndex(red) : nearest(red, green, blue);
      if (code === 38) style.colour = colour;
      // 58 is that of an underline.
      else if (code === 48) style.background = colour;
      at += isIndexed ? 2 : 4;
    }
  }
  return style;
}

function classesOf({ bold, dim, italic, underline, inverse, colour, background }: Style): string {
  const [front, back] = inverse ? [background ?? "i", colour ?? "i"] : [colour, background];
  return [
    bold && "b",
    dim && "d",
    italic && "i",
    underline && "u",
    front !== undefined && `f${front}`,
    back !== undefined && `g${back}`,
  ]
    .filter((name) => name !== false)
    .join(" ");
}
