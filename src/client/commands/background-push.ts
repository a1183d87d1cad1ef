// What commands that push in the background make of their flags.
import type { FlagValues, Invocation } from "../command/spec.ts";
import type { PushBatch } from "../hook/daemon.ts";
import { pushingBy } from "../hook/push.ts";
import { readSettings } from "../settings/settings.ts";
import { type PUSH_FLAGS, readPushFlags } from "./push.ts";

type Background = Pick<Invocation<typeof PUSH_FLAGS>, "global" | "env" | "output"> & {
  readonly flags: FlagValues<typeof PUSH_FLAGS>;
};

/** Throws {@link Failure} of usage: wrong settings are better found now than at the first build. */
export function backgroundPush(name: string, { flags, global, env, output }: Background): PushBatch {
  readSettings(global, env);
  return pushingBy(global, {
    ...readPushFlags(flags, name),
    closure: true,
    dryRun: false,
    env,
    onProgress: () => undefined,
    warn: output.warn,
  });
}
