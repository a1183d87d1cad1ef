// Runs the shell blocks of one document in one bash session, in their order.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nixAtLeast } from "../real-nix/nix.ts";
import { type Document, type Fence, fencesOf } from "./markdown.ts";
import type { Sandbox } from "./sandbox.ts";

const TIMEOUT_MS = 110_000;
/** Characters of a failed session's output that are shown. */
const SHOWN = 4_000;
const END = "end";

const NOT_RUN = /^not run:\s*(.*)$/;
const NIX_NEEDED = /^needs Nix (\d+)\.(\d+)$/;

/** Commands that every session has beside the sandbox's. */
const PRELUDE = `
set -eEu -o pipefail
trap 'printf "%s: line %s: exit %s: %s\\n" "$DOCUMENT" "$LINENO" "$?" "$BASH_COMMAND" >&2' ERR

# An answer such as 401 is a failure here.
curl() { command curl --fail-with-body "$@"; }

# A new token is put into the cache by commands that are not run here: this one it has.
openssl() {
  if [[ $* == 'rand -hex 32' ]]; then echo "$NIX_CACHE_TOKEN"; else command openssl "$@"; fi
}

# npm start never ends: it goes on beside the session, at a free port, until the session ends.
npm() {
  case "\${1-}" in
    start) shift; [[ \${1-} != -- ]] || shift; start_cache "$@" ;;
    ci) install ;;
    *) command npm "$@" ;;
  esac
}

start_cache() {
  command npm start -- "$@" --port "$START_PORT" --inspector-port "$INSPECTOR_PORT" \\
    --var "STORE_DIR:$NIX_STORE_DIR" --var 'UPSTREAMS:[]' >"$TMPDIR/npm-start" 2>&1 </dev/null &
  until grep -q 'Ctrl-C stops' "$TMPDIR/npm-start"; do
    kill -0 $! 2>/dev/null || { cat "$TMPDIR/npm-start" >&2; return 1; }
    sleep 0.1
  done
  cat "$TMPDIR/npm-start"
}

# Installs as the user would where the environment asks for it; else the packages of the checkout serve.
install() {
  if [[ -n \${DOCS_NPM_CI-} ]]; then command npm ci --prefer-offline --no-audit --no-fund; else ln -s "$MODULES" node_modules; fi
}
`;

export interface Skipped {
  readonly line: number;
  readonly reason: string;
}

/** The shell blocks of a document: those to run, and why the others are not. */
export function shellBlocks(document: Document): { run: Fence[]; skipped: Skipped[] } {
  const run: Fence[] = [];
  const skipped: Skipped[] = [];
  for (const fence of fencesOf(document)) {
    if (fence.language !== "sh") continue;
    const reason = reasonAgainst(document, fence);
    if (reason === undefined) run.push(fence);
    else skipped.push({ line: fence.line, reason });
  }
  return { run, skipped };
}

function reasonAgainst({ file }: Document, { line, comment = "" }: Fence): string | undefined {
  const notRun = NOT_RUN.exec(comment);
  if (notRun !== null) {
    if (!notRun[1]) throw new Error(`${file}:${line}: "not run" needs a reason: <!-- not run: REASON -->`);
    return notRun[1];
  }
  const [, major, minor] = NIX_NEEDED.exec(comment) ?? [];
  return major !== undefined && !nixAtLeast(Number(major), Number(minor)) ? comment : undefined;
}

/** The script has the document's line numbers: its prose is empty lines, an opening fence a mark in the output. */
export function scriptOf(
  document: Document,
  fences: readonly Fence[],
  translate: (text: string) => string,
): string {
  const script = document.lines.map(() => "");
  for (const { line, body } of fences) {
    script[line - 1] = `printf '\\n@@ %s\\n' ${line}`;
    for (const [index, text] of body.entries()) script[line + index] = translate(text);
  }
  return `${script.join("\n")}\nprintf '\\n@@ %s\\n' ${END}\n`;
}

/** Runs the blocks; throws with the line and the output of the block that fails. */
export async function runBlocks(
  document: Document,
  fences: readonly Fence[],
  sandbox: Sandbox,
  variables: Readonly<Record<string, string>>,
  translate: (text: string) => string,
): Promise<void> {
  const script = join(sandbox.dir, "script");
  const prelude = join(sandbox.dir, "prelude");
  const output = join(sandbox.dir, "output");
  writeFileSync(script, scriptOf(document, fences, translate));
  writeFileSync(prelude, PRELUDE);
  const out = openSync(output, "w");
  const child = spawn("bash", ["-c", `. "$PRELUDE"; . "$SCRIPT"`], {
    cwd: sandbox.work,
    detached: true,
    stdio: ["ignore", out, out],
    env: { ...sandbox.env, ...variables, PRELUDE: prelude, SCRIPT: script, DOCUMENT: document.file },
  });
  closeSync(out);
  const killGroup = () => {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // The group has ended.
    }
  };
  const timer = setTimeout(killGroup, TIMEOUT_MS);
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  clearTimeout(timer);
  killGroup();
  const text = readFileSync(output, "utf8");
  if (code === 0 && text.includes(`\n@@ ${END}\n`)) return;
  const begun = [...text.matchAll(/\n@@ (\w+)\n/g)].at(-1);
  const block = text
    .slice(begun?.index ?? 0)
    .trim()
    .slice(-SHOWN);
  const how =
    code === 0 ? "ended the session" : signal === null ? `failed: exit ${code}` : `took too long: ${signal}`;
  throw new Error(`${document.file}: the block at line ${begun?.[1] ?? 0} ${how}\n${block}`);
}
