// Progress of long work: one bar that is redrawn in a terminal, a line now and then elsewhere.
import { bytesText } from "./format.ts";

export interface State {
  /** Paths, or whatever is counted. */
  readonly done: number;
  readonly total: number;
  /** Bytes sent so far. */
  readonly bytes: number;
  /** What is being done, shown after the numbers. */
  readonly now?: string;
}

export interface Progress {
  update(state: State): void;
  /** Removes the bar, so that a line can be written in its place. */
  clear(): void;
}

interface Terminal {
  readonly columns?: number;
  write(text: string): unknown;
}

const REDRAW_MS = 100;
const LINE_MS = 10_000;
const BAR_CELLS = 24;
const DEFAULT_COLUMNS = 80;

export function progressOn(
  terminal: Terminal,
  { isQuiet, isTerminal }: { isQuiet: boolean; isTerminal: boolean },
): Progress {
  let lastShown = isTerminal ? 0 : Date.now();
  let isDrawn = false;
  return {
    update(state) {
      const now = Date.now();
      if (isQuiet || now - lastShown < (isTerminal ? REDRAW_MS : LINE_MS)) return;
      lastShown = now;
      if (isTerminal) {
        const width = (terminal.columns ?? DEFAULT_COLUMNS) - 1;
        terminal.write(`\r\x1b[2K${barOf(state).slice(0, width)}`);
        isDrawn = true;
      } else {
        terminal.write(`${numbersOf(state)}\n`);
      }
    },
    clear() {
      if (isDrawn) terminal.write("\r\x1b[2K");
      isDrawn = false;
    },
  };
}

export function barOf(state: State): string {
  const share = state.total === 0 ? 1 : Math.min(1, state.done / state.total);
  const filled = Math.round(share * BAR_CELLS);
  const bar = `[${"#".repeat(filled)}${".".repeat(BAR_CELLS - filled)}]`;
  return `${bar} ${numbersOf(state)}${state.now === undefined ? "" : ` ${state.now}`}`;
}

function numbersOf({ done, total, bytes }: State): string {
  return `${done}/${total} paths, ${bytesText(bytes)} sent`;
}
