// Debian's Chromium, driven by playwright-core (`CHROMIUM_BIN`, else `chromium` on PATH).
import { execFileSync } from "node:child_process";
import { type Browser, chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where it is; `undefined` where there is none. */
export const chromiumPath = find();

function find(): string | undefined {
  if (process.env.CHROMIUM_BIN) return process.env.CHROMIUM_BIN;
  try {
    return execFileSync("/bin/sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

export function launch(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error("there is no chromium on this machine");
  return chromium.launch({ executablePath: chromiumPath, args: ARGUMENTS });
}
