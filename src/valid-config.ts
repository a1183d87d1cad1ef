// Refuses writes to a cache whose configuration has a mistake: it might sign wrongly. Reads go on.
import { allProblems, untilFixed } from "./config/config.ts";
import type { Handler } from "./context.ts";
import { HttpError } from "./http/errors.ts";

/** Makes a handler throw {@link HttpError} 403 while the configuration has a mistake. */
export function requireValidConfig(handler: Handler): Handler {
  return async (context) => {
    const [problem] = await allProblems(context.config);
    if (problem !== undefined) {
      throw new HttpError(403, untilFixed("writing is switched off", problem));
    }
    return handler(context);
  };
}
