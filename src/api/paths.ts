// /paths: publishing store paths, searching those of the cache, everything about one, and deleting one.
import * as v from "valibot";
import {
  AGE_POSITION,
  DELETED,
  MAX_SCANNED,
  NAME_POSITION,
  PATH_DETAIL,
  PATH_POSITION,
  PATH_SUMMARY,
} from "../contract/paths.ts";
import { MAX_PUBLISH_BYTES, MAX_PUBLISHED, PUBLISH_REQUEST, PUBLISHED } from "../contract/publishing.ts";
import { DELETION_REPORT } from "../contract/runs.ts";
import { COUNT, described, listOf, named, oneOf, PATH_IN_URL, textUpTo } from "../contract/schema.ts";
import { HttpError } from "../http/errors.ts";
import { publishPaths } from "../publish/paths.ts";
import { readableDetail } from "./hidden-upstreams.ts";
import { Begun, operation } from "./operation.ts";
import { NEXT, pageOf, withCursor } from "./page.ts";

/** Of a store path's name. */
const MAX_NAME_LENGTH = 211;
const NO_PATH = { 404: "The catalog knows no such path." };
const PATH = { path: "/paths/{hash}" } as const;

/** Throws {@link HttpError} 400 for the cursor of a list in another order. */
function placeIn<P>(
  position: v.GenericSchema<P>,
  cursor: v.InferOutput<typeof PATH_POSITION> | undefined,
): P | undefined {
  if (cursor === undefined || v.is(position, cursor)) return cursor;
  throw new HttpError(400, "parameter 'cursor' must be the 'next' of the page before, of the same search");
}

export const PATH_OPERATIONS = [
  operation({
    id: "listPaths",
    method: "GET",
    path: "/paths",
    permission: "list",
    summary: "The paths, newest first; or a search, whose results come by name.",
    description: `A prefix is looked up. For what names contain, one answer compares ${MAX_SCANNED} of them: follow \`next\`, also where a page is empty, until there is none.`,
    parameters: {
      prefix: v.exactOptional(described("What the name begins with.", textUpTo(MAX_NAME_LENGTH)), ""),
      q: v.exactOptional(
        described("What the name contains, in capitals or not.", textUpTo(MAX_NAME_LENGTH)),
        "",
      ),
      ...pageOf(PATH_POSITION),
    },
    answer: named(
      "PathPage",
      v.object({
        paths: listOf(PATH_SUMMARY),
        ...NEXT,
        scanned: v.exactOptional(
          described("The page ended here because so many names had been compared with `q`.", COUNT),
        ),
      }),
    ),
    handle: async ({ catalog }, { parameters: { prefix, q: part, limit, cursor } }) => {
      if (prefix === "" && part === "") {
        const after = placeIn(AGE_POSITION, cursor);
        return withCursor(await catalog((c) => c.listPaths({ limit, ...(after && { after }) })));
      }
      const after = placeIn(NAME_POSITION, cursor);
      return withCursor(
        await catalog((c) => c.searchPaths({ prefix, part, limit, ...(after && { after }) })),
      );
    },
  }),
  operation({
    id: "publishPaths",
    method: "POST",
    path: "/paths",
    permission: "push",
    isWrite: true,
    summary: "Publish paths whose NARs are here.",
    description: `As a PUT of each narinfo and listing, up to ${MAX_PUBLISHED} paths in one request. A refused path does not stop the others: the answer says of each what has become of it.`,
    body: PUBLISH_REQUEST,
    maxBodyBytes: MAX_PUBLISH_BYTES,
    answer: PUBLISHED,
    handle: async (context, { body: { paths } }) => ({ paths: await publishPaths(context, paths) }),
  }),
  operation({
    id: "getPath",
    method: "GET",
    ...PATH,
    permission: "pull",
    summary: "Everything about one path.",
    parameters: { hash: PATH_IN_URL },
    answer: PATH_DETAIL,
    errors: NO_PATH,
    handle: async (context, { parameters: { hash } }) => {
      // Everybody may ask, and pins are listed for members only.
      const { pins: _, ...detail } = await readableDetail(context, hash);
      return detail;
    },
  }),
  operation({
    id: "deletePath",
    method: "DELETE",
    ...PATH,
    permission: "admin",
    isWrite: true,
    summary: "Delete a path.",
    description:
      "Its NAR follows a day later, unless something refers to it by then. Repeat it after a 503: every closure is whole meanwhile. More than 100 paths are deleted in steps by alarms.",
    parameters: {
      hash: PATH_IN_URL,
      closure: v.exactOptional(
        described("`referrers`: delete all that refers to it, directly or not, too.", oneOf(["referrers"])),
      ),
      now: v.exactOptional(
        described(
          "`true`: its NAR goes at once as well, also from Cloudflare's cache, unless another path has it; for a secret that has leaked.",
          oneOf(["true"]),
        ),
      ),
    },
    answer: DELETED,
    begun: DELETION_REPORT,
    errors: {
      ...NO_PATH,
      409: "Other paths refer to it, or pins keep it; the detail names them. Or another large deletion goes on.",
    },
    handle: async ({ catalog }, { parameters: { hash, closure, now } }) => {
      const outcome = await catalog((c) => c.deletePath(hash, closure === "referrers", now === "true"));
      return "kind" in outcome ? new Begun(outcome) : outcome;
    },
  }),
];
