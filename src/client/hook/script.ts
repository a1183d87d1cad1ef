// The post-build hook itself: a shell script, so that neither a missing client nor an unset variable fails a build.

export interface HookScript {
  /** The client's command: Node and its file. */
  readonly client: readonly string[];
  /** Where notes go. */
  readonly dir: string;
  readonly socket?: string | undefined;
  /** Another hook, which runs first and may fail the build as without this one. */
  readonly before?: string | undefined;
}

export function hookScript({ client, dir, socket, before }: HookScript): string {
  const send = [
    ...client,
    "hook",
    "send",
    "--dir",
    dir,
    ...(socket === undefined ? [] : ["--socket", socket]),
  ];
  return `#!/bin/sh
# Made by nix-cache. It only notes what was built; a daemon pushes it. Whatever goes wrong here, no build fails.
${before === undefined ? "" : `${quoted(before)} || exit\n`}if [ -z "\${OUT_PATHS:-}\${DRV_PATH:-}" ]; then exit 0; fi
${send.map(quoted).join(" ")} || true
`;
}

/** For a shell. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9/._=:@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
