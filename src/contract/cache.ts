// What a client needs to know of a cache to use it.
import * as v from "valibot";
import { COMPRESSIONS } from "../nix/narinfo.ts";
import { COUNT, described, FLAG, listOf, NON_EMPTY, named, TEXT } from "./schema.ts";

/** As in package.json; of the program, not of the API. */
export const VERSION = "0.2.0";

/**
 * For `?compression=` of a push: a client unpacks zstd faster than xz, which is Nix's default, and the Worker reads its
 * NARs to verify them.
 */
export const PREFERRED_COMPRESSION = "zstd";

const PUBLIC_KEY = described("As in trusted-public-keys: `name:base64`.", NON_EMPTY);

const UPSTREAM = v.object({
  url: described("Its URL; `/<name>` for a cache of this Worker.", NON_EMPTY),
  serve: described(
    "`pushers`: a push skips what it has. `redirect`: readers are sent to it, too. `mirror`: what they read there is also copied.",
    v.picklist(["pushers", "redirect", "mirror"]),
  ),
  public_keys: described(
    "Keys of which its paths need one. Empty where they need none, as of a cache of this Worker.",
    listOf(PUBLIC_KEY),
  ),
});

const ISSUER = v.object({
  issuer: described("As in the token's `iss`.", NON_EMPTY),
  audiences: described("Those that its rules accept; ask for a token for the first.", listOf(NON_EMPTY)),
});

const LIMITS = v.object({
  nar_size: described(
    "Bytes of a NAR in one request, as it is sent. A larger one is uploaded in parts, and so is one that Cloudflare's plan does not take (100 MB on the free one).",
    COUNT,
  ),
  narinfo_size: described("Bytes.", COUNT),
  listing_size: described("Bytes.", COUNT),
  log_size: described("Bytes.", COUNT),
  missing_paths: described("Paths in one question, with a credential.", COUNT),
  missing_paths_of_anonymous: described("Paths in one question, without a credential.", COUNT),
});

export const CACHE_DESCRIPTION = named(
  "Cache",
  v.object({
    name: NON_EMPTY,
    url: described(
      "Its URL, without a slash at the end: a substituter, as the caller reaches it.",
      NON_EMPTY,
    ),
    store_dir: described("The store directory, such as /nix/store.", NON_EMPTY),
    priority: described("Lower is asked first.", COUNT),
    public_keys: described(
      "The keys that a client trusts: those that the cache signs with or, where it does not sign, those by which a push needs a signature.",
      listOf(PUBLIC_KEY),
    ),
    signs: described("Whether the cache signs what is pushed.", FLAG),
    trusted_public_keys: described(
      "A push needs a signature by one of them; if there are none, any signature or none will do.",
      listOf(PUBLIC_KEY),
    ),
    visibility: described("`private`: reading needs a credential.", v.picklist(["public", "private"])),
    listing: described(
      "Who may search and list a public cache: everybody, or those with a credential for it.",
      v.picklist(["members", "public"]),
    ),
    compression: described("What a push had best compress NARs with.", v.picklist(COMPRESSIONS)),
    verification: described(
      "When the content of a NAR is verified: `before` its path is published, `after` that, or never.",
      v.picklist(["before", "after", "off"]),
    ),
    upstreams: described(
      "The caches whose paths need not be here, in the order in which they are asked; of private ones those that the caller may read.",
      listOf(UPSTREAM),
    ),
    oidc: described("Whose identity tokens may do something in this cache.", listOf(ISSUER)),
    limits: LIMITS,
    version: described("The version of the program.", TEXT),
  }),
);
export type CacheDescription = v.InferOutput<typeof CACHE_DESCRIPTION>;
