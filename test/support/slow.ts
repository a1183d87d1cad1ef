/** For tests of many requests: what takes a second here takes many on a busy machine. Milliseconds. */
export const SLOW_MS = 60_000;
