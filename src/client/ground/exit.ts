// The exit codes, which tell scripts what kind of failure it was. Help and manual show this table.

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  network: 3,
  refused: 4,
  partly: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.done, "done"],
  [EXIT.failed, "failed on this machine: Nix, a file, or something that doctor or check has found"],
  [EXIT.usage, "wrong usage or settings"],
  [EXIT.network, "the cache did not answer, or answered with errors of its own, after several attempts"],
  [EXIT.refused, "the cache refused: no permission, or a request that it does not take"],
  [EXIT.partly, "partly failed: the rest was done"],
];
