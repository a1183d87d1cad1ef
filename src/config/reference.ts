// What each variable and setting means: the content of docs/operating/configuration.md. The compiler holds it against the
// parser's own tables, a test its defaults and examples against the parser. No module of the Worker imports it.
import type { Env } from "../env.ts";
import type { SETTINGS } from "./caches.ts";
import type { FIELDS as OIDC_FIELDS } from "./oidc.ts";
import type { SECRETS } from "./secrets.ts";
import type { FIELDS as UPSTREAM_FIELDS } from "./upstreams.ts";

export interface Entry {
  /** Markdown, seen from docs/operating/. */
  readonly meaning: string;
  /** What it may be. */
  readonly form: string;
  /** A value that means the same as none at all. */
  readonly default?: unknown;
  /** What holds without it, where no value says that. */
  readonly unset?: string;
  readonly example: unknown;
  /** Copied with the others, the example would do harm: it is shown apart. */
  readonly isApart?: true;
}

/** What `unset` says of a setting that must be there. */
export const REQUIRED = "required";

type Binding = "BUCKET" | "CATALOG" | "TRAFFIC";
type Secret = (typeof SECRETS)[number];
type Variable = Exclude<keyof Env, Binding | Secret>;

const TOKEN = "a text without white space, such as `openssl rand -hex 32` prints";

/** Set by `npm run wrangler -- secret put NAME`, and on one's own machine by a line in .dev.vars. */
export const SECRETS_MEANING: Readonly<Record<Secret, Omit<Entry, "default" | "example">>> = {
  PUSH_TOKEN: {
    meaning: "Allows pushing to the default cache.",
    form: TOKEN,
    unset: "no such token",
  },
  PULL_TOKEN: {
    meaning: "Makes the default cache private: reading needs this token, or another one that allows it.",
    form: TOKEN,
    unset: "everybody may read, unless `visibility` says otherwise",
  },
  ADMIN_TOKEN: {
    meaning: "Allows everything in all caches, including deletion. It must be no other token.",
    form: TOKEN,
    unset: "no such token",
  },
  TOKEN_SECRET: {
    meaning:
      "Signs [tokens](../using/tokens.md) that the cache mints or exchanges. Of several the first signs, and all are accepted.",
    form: "32 random characters at least; several are separated by white space",
    unset: "no tokens are minted",
  },
  SIGNING_KEY: {
    meaning:
      "The cache signs what is pushed with each of these keys. A key's name may have letters of any script, but no `:` and no white space.",
    form: "a secret key of Nix, such as `npm run --silent keygen -- cache.example.org-1` prints; several are separated by white space",
    unset: "the cache does not sign",
  },
};

const PUBLIC_KEY = "builder.example.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

export const VARIABLES_MEANING: Readonly<Record<Variable, Entry>> = {
  PRIORITY: {
    meaning:
      "The order in which clients ask their caches: a lower one is asked first, and cache.nixos.org has 40.",
    form: "a whole number from 0",
    default: 41,
    example: 30,
  },
  TRUSTED_PUBLIC_KEYS: {
    meaning: "A push needs a signature by one of these keys, unless the path is content-addressed.",
    form: "a list of public keys",
    default: [],
    unset: "any signature or none will do",
    example: [PUBLIC_KEY],
  },
  UPSTREAMS: {
    meaning:
      "Caches whose paths need not be here ([upstreams](upstreams.md)): a push skips what they have. `[]` means none, so that whole closures are kept here.",
    form: "a list of URLs, or of tables with the [settings of an upstream](#settings-of-an-upstream); 8 at most",
    default: ["https://cache.nixos.org"],
    unset: "none where `STORE_DIR` is another store",
    example: [
      "https://cache.nixos.org",
      { url: "https://other.example.org", public_keys: [PUBLIC_KEY], serve: "redirect" },
    ],
  },
  LISTING: {
    meaning:
      "Who may search and list a public cache: everybody, or members, who have a credential that may do something in it.",
    form: '`"members"` or `"public"`',
    default: "members",
    example: "public",
  },
  STORE_DIR: {
    meaning: "The store directory of all paths.",
    form: "an absolute path without a final slash",
    default: "/nix/store",
    example: "/gnu/store",
  },
  CACHE_NAME: {
    meaning:
      "The name of the default cache and of its catalog. Change it only to a new name, which begins with an empty catalog.",
    form: "lower-case letters, digits and `-`, 63 at most",
    default: "nix-cache",
    example: "acme",
  },
  CACHES: {
    meaning:
      "The named caches, each at `/NAME`, and more settings of the default cache, under its own name. The table of a cache has the [settings of a cache](#settings-of-a-cache).",
    form: "a table of tables, by name",
    default: {},
    unset: "there is only the default cache",
    example: { "nix-cache": { retention_days: 90 }, team: { visibility: "private" } },
  },
  OIDC: {
    meaning:
      "Accepts identity tokens of other issuers, such as those of CI jobs ([CI](../using/ci.md)). Each rule has the [settings of a rule](#settings-of-a-rule-for-identity-tokens).",
    form: "a list of tables",
    default: [],
    unset: "none are accepted",
    example: [
      {
        issuer: "https://token.actions.githubusercontent.com",
        audience: "https://cache.example.org",
        claims: { repository: "acme/app", ref: "refs/heads/main" },
        permissions: ["push"],
        caches: ["nix-cache"],
      },
    ],
  },
  GC_GRACE_SECONDS: {
    meaning:
      "Seconds for which a pushed or requested path always stays, and a NAR after its last path ([retention](retention.md)). It is the time for pushes in flight and for readers: lower it only in tests.",
    form: "a whole number from 10 to 999999999",
    default: 90_000,
    example: 172_800,
  },
};

/** By `CACHES.NAME`. */
export const SETTINGS_MEANING: Readonly<Record<(typeof SETTINGS)[number], Entry>> = {
  visibility: {
    meaning:
      "Whether reading needs a credential. To a client that may not read it, a private named cache looks as if it did not exist.",
    form: '`"public"` or `"private"`',
    default: "public",
    unset: "the default cache is private where `PULL_TOKEN` is set",
    example: "private",
  },
  priority: {
    meaning: "As `PRIORITY`, for this cache.",
    form: "a whole number from 0",
    unset: "`PRIORITY`",
    example: 35,
  },
  signing_keys: {
    meaning:
      "The names of the keys in `SIGNING_KEY` that sign for this cache. While `SIGNING_KEY` has no key of such a name, all caches refuse writes.",
    form: "a list of names",
    unset: "all of them; a named cache must choose where there are several",
    example: ["cache.example.org-1"],
    isApart: true,
  },
  trusted_public_keys: {
    meaning: "As `TRUSTED_PUBLIC_KEYS`, for this cache.",
    form: "a list of public keys",
    unset: "`TRUSTED_PUBLIC_KEYS`",
    example: [PUBLIC_KEY],
  },
  open: {
    meaning:
      "Accepts paths whose references are not here. The cache then does not promise complete closures.",
    form: "`true` or `false`",
    default: false,
    example: true,
  },
  verify: {
    meaning:
      "When the content of a NAR is [verified](verification.md): before its path is served, after the push, or never.",
    form: '`"before"`, `"after"` or `"off"`',
    default: "after",
    example: "before",
  },
  listings: {
    meaning:
      "Writes the listing of each verified path for which none was pushed. That is one class A operation a path.",
    form: "`true` or `false`",
    default: false,
    example: true,
  },
  listing: {
    meaning: "As `LISTING`, for this cache.",
    form: '`"members"` or `"public"`',
    unset: "`LISTING`",
    example: "public",
  },
  upstreams: {
    meaning: "As `UPSTREAMS`, for this cache.",
    form: "a list of URLs or tables",
    unset: "`UPSTREAMS`",
    example: [],
  },
  retention_days: {
    meaning:
      "Days for which a path stays after a pusher has pushed it or asked for it ([retention](retention.md)).",
    form: "a number above 0",
    unset: "for ever",
    example: 90,
  },
  max_size_gb: {
    meaning:
      "GB (10⁹ bytes) of NARs in the bucket above which the paths that were not used for longest are collected.",
    form: "a number above 0",
    unset: "no limit",
    example: 500,
  },
};

/** Of a table in UPSTREAMS or `upstreams`. */
export const UPSTREAM_MEANING: Readonly<Record<(typeof UPSTREAM_FIELDS)[number], Entry>> = {
  url: {
    meaning: "Its URL. `/NAME` is another cache of this Worker.",
    form: "`https://`, or `http://` on this machine; without a password",
    unset: REQUIRED,
    example: "https://other.example.org",
  },
  public_keys: {
    meaning: "The keys by which it signs. cache.nixos.org and caches of this Worker need none.",
    form: "a list of public keys",
    unset: "required of every other cache",
    example: [PUBLIC_KEY],
  },
  serve: {
    meaning:
      "Whom it serves: a push skips what it has, readers are redirected to it, too, or what they ask for is also copied.",
    form: '`"pushers"`, `"redirect"` or `"mirror"`',
    default: "pushers",
    example: "mirror",
  },
  anonymous: {
    meaning: "Whether clients without a credential are redirected, too.",
    form: "`true` or `false`",
    default: true,
    example: false,
  },
  mirror_gb_per_day: {
    meaning:
      "GB (10⁹ bytes) that are copied from it in a day (UTC) at most. A NAR that is larger than this is not copied.",
    form: "a number above 0",
    default: 10,
    example: 25,
  },
};

/** Of a table in OIDC. A token must satisfy all of a rule. */
export const OIDC_MEANING: Readonly<Record<(typeof OIDC_FIELDS)[number], Entry>> = {
  issuer: {
    meaning: "The token's `iss`, character by character.",
    form: "a URL that begins with `https://`",
    unset: REQUIRED,
    example: "https://token.actions.githubusercontent.com",
  },
  audience: {
    meaning: "One of these must be in the token's `aud`.",
    form: "a text, or a list of texts",
    unset: REQUIRED,
    example: "https://cache.example.org",
  },
  claims: {
    meaning:
      "The claims that a token must have. A list means one of these. How to write rules that let in nobody else: [security](../internals/security.md).",
    form: "a table of texts, or lists of texts; `*` stands for any characters",
    unset: "no claim is compared, which needs `everybody` where the issuer is one for all the world",
    example: { repository: "acme/app", ref: "refs/heads/main" },
  },
  permissions: {
    meaning: "What the token may do.",
    form: 'a list of `"pull"`, `"push"` and `"admin"`',
    unset: REQUIRED,
    example: ["push"],
  },
  caches: {
    meaning: "The caches in which it may.",
    form: "a list of names, or patterns with `*`",
    unset: REQUIRED,
    example: ["nix-cache"],
  },
  everybody: {
    meaning:
      "Allows a rule that accepts tokens of everybody at this issuer: on GitHub, of every repository in the world.",
    form: "`true` or `false`",
    default: false,
    example: true,
    isApart: true,
  },
};

/** Made by wrangler, at deploy. */
export const BINDINGS: Readonly<Record<Binding, string>> = {
  BUCKET: "The R2 bucket with all objects: `[[r2_buckets]]`.",
  CATALOG: "The Durable Object class `Catalog`.",
  TRAFFIC:
    "Where it is bound, each request is counted ([monitoring](monitoring.md)): `[[analytics_engine_datasets]]`.",
};
