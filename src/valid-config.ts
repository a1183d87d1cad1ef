// Writing stops while the configuration has a mistake.
import { allProblems } from "./config/config.ts";
import type { Handler } from "./context.ts";
import { HttpError } from "./http/errors.ts";

/** A cache with a mistake in its configuration serves what it has, but takes nothing that it might sign wrongly. */
export function requireValidConfig(handler: Handler): Handler {
  return async (context) => {
    const [problem] = await allProblems(context.config);
    if (problem !== undefined)
      throw new HttpError(403, `writing is switched off until the configuration is mended: ${problem}`);
    return handler(context);
  };
}
