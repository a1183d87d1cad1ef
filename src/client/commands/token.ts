// `nix-cache token`: minted tokens.
import type { TokenReport } from "../../contract/tokens.ts";
import { usage } from "../command/parse.ts";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { parseSeconds, table } from "../ground/format.ts";
import { allPages, openCache } from "../http/api.ts";

const DEFAULT_EXPIRY = "30d";

export const TOKEN_MINT = command({
  name: "token mint",
  summary: "mints a token, which is printed once (admin)",
  args: "NAME",
  takes: { min: 1, max: 1 },
  examples: [
    { line: "nix-cache token mint alice > token", does: "pushes to this cache, for 30 days" },
    {
      line: "nix-cache token mint ci --permission pull --cache 'team-*' --expires 12h",
      does: "reads several caches",
    },
  ],
  flags: {
    permission: {
      value: "WORD",
      many: true,
      help: "pull, push (the default, which includes pull) or admin",
      completes: ["pull", "push", "admin"],
    },
    cache: { value: "NAME", many: true, help: "the name of a cache or a pattern; this cache if not given" },
    expires: { value: "TIME", help: `such as 12h or 90d, 366d at most; ${DEFAULT_EXPIRY} if not given` },
  },
  async run({ args: [name = ""], flags, global, env, output }) {
    const expiresIn = parseSeconds(flags.expires ?? DEFAULT_EXPIRY);
    if (expiresIn === undefined)
      throw usage({ name: "token mint" }, "--expires is a time such as 12h or 90d");
    const cache = openCache(global, env);
    const caches =
      flags.cache.length > 0 ? flags.cache : [(await cache.call<{ name: string }>("GET", "/cache")).name];
    const minted = await cache.call<{ id: string; token: string; expires: string }>("POST", "/tokens", {
      name,
      permissions: flags.permission.length > 0 ? flags.permission : ["push"],
      caches,
      expires_in: expiresIn,
    });
    output.note(`token ${minted.id} of ${name} for ${caches.join(", ")} ends ${minted.expires}`);
    output.result(minted, () => `${minted.token}\n`);
    return EXIT.done;
  },
});

export const TOKEN_LIST = command({
  name: "token list",
  summary: "lists minted tokens (admin)",
  examples: [{ line: "nix-cache token list", does: "ids, permissions and ends, the newest first" }],
  flags: { all: { help: "also those that have ended or are revoked" } },
  async run({ flags, global, env, output }) {
    const tokens = await allPages<TokenReport>(openCache(global, env), "/tokens", "tokens");
    const now = new Date().toISOString();
    const shown = tokens.filter(
      ({ expires, revoked }) => flags.all || (revoked === undefined && expires > now),
    );
    output.result(shown, () =>
      table(
        ["ID", "NAME", "PERMISSIONS", "CACHES", "EXPIRES", "REVOKED"],
        shown.map(({ id, name, grants, expires, revoked }) => [
          id,
          name,
          grants.map(({ permissions }) => permissions.join(",")).join(" "),
          grants.map(({ caches }) => caches.join(",")).join(" "),
          expires.slice(0, 16),
          revoked?.slice(0, 16) ?? "",
        ]),
      ),
    );
    return EXIT.done;
  },
});

export const TOKEN_REVOKE = command({
  name: "token revoke",
  summary: "revokes a minted token (admin)",
  args: "ID",
  takes: { min: 1, max: 1 },
  examples: [
    { line: "nix-cache token revoke ID", does: "it cannot write from now on, nor read after a minute" },
  ],
  flags: {},
  async run({ args: [id = ""], global, env, output }) {
    const token = await openCache(global, env).call<TokenReport>(
      "DELETE",
      `/tokens/${encodeURIComponent(id)}`,
    );
    output.result(token, () => `revoked ${token.name} (${token.id})\n`);
    return EXIT.done;
  },
});
