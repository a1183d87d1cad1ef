// `nix-cache whoami`: the permissions of the token.

import type { WhoAmI } from "../../contract/tokens.ts";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { openCache } from "../http/api.ts";

export const WHOAMI = command({
  name: "whoami",
  summary: "shows which token is used and what it may do",
  examples: [{ line: "nix-cache whoami", does: "with the token of this user" }],
  flags: {},
  async run({ global, env, output }) {
    const cache = openCache(global, env);
    const answer = await cache.call<WhoAmI>("GET", "/whoami");
    output.result(answer, () => {
      const from = cache.settings.tokenFrom ?? "none";
      const grants = answer.grants.map(
        ({ permissions, caches }) => `${permissions.join(", ")} in ${caches.join(", ")}\n`,
      );
      return `${answer.name} (token: ${from})\n${grants.join("")}`;
    });
    return EXIT.done;
  },
});
