// Publishing many paths with one request.
import * as v from "valibot";
import { COUNT, described, listOf, NON_EMPTY, named, someOf, TEXT } from "./schema.ts";
import type { RecentNar } from "./uploads.ts";

/** Paths in one request: with the listings, two operations of the bucket for each in the catalog and one in the Worker. */
export const MAX_PUBLISHED = 50;
/** Bytes of such a request: four of the largest narinfos, which take some 25 MB of memory each. */
export const MAX_PUBLISH_BYTES = 4 * 1024 * 1024;

const EXAMPLE = `StorePath: /nix/store/3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-hello-2.12
URL: nar/1mk3wjzvy1dnqy9cqj9nbhk1x1czvfqjl7fyk4fvyl9b3rmcrj1f.nar
Compression: none
NarHash: sha256:1mk3wjzvy1dnqy9cqj9nbhk1x1czvfqjl7fyk4fvyl9b3rmcrj1f
NarSize: 226560
References: 3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-hello-2.12
`;

const SENT_PATH = {
  narinfo: described("As in a PUT of `/<hash>.narinfo`.", NON_EMPTY),
  listing: v.exactOptional(described("As in a PUT of `/<hash>.ls`.", NON_EMPTY)),
};

/** An object that has no other property: valibot's own check of that would be larger than all of this. */
function isSentPath(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).every((name) => Object.hasOwn(SENT_PATH, name))
  );
}

export const PUBLISH_REQUEST = v.pipe(
  v.object({
    paths: described(
      "References before what refers to them.",
      someOf(
        v.pipe(
          v.custom<object>(isSentPath, "must be an object of a narinfo and perhaps a listing, both texts"),
          v.object(SENT_PATH),
          v.metadata({ additionalProperties: false }),
        ),
        MAX_PUBLISHED,
      ),
    ),
  }),
  v.examples([
    {
      paths: [{ narinfo: EXAMPLE, listing: '{"version":1,"root":{"type":"directory","entries":{}}}' }],
    },
  ]),
);

const PUBLISHED_PATH = v.object({
  status: described("As of a PUT of the narinfo: 201, 200, or that of a refusal.", COUNT),
  message: described("One line: what has become of the path, or why it is refused.", TEXT),
  retry_after: v.exactOptional(described("Seconds after which to send the path again.", COUNT)),
  no_listing: v.exactOptional(described("Why the path is published without its listing.", TEXT)),
});
/** What has become of one path. */
export type PublishedPath = v.InferOutput<typeof PUBLISHED_PATH>;

export const PUBLISHED = named(
  "Published",
  v.object({ paths: described("In the order of the request.", listOf(PUBLISHED_PATH)) }),
);
export type Published = v.InferOutput<typeof PUBLISHED>;

/** A narinfo for the catalog to publish. */
export interface NarInfoToPublish {
  readonly narinfo: string;
  /** Its NAR, if that was put into the bucket just now. */
  readonly nar?: RecentNar | undefined;
}
