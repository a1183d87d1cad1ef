// /pins: names for paths that must stay, such as a deployed system. Each keeps revisions.
import * as v from "valibot";
import { PIN, PIN_BODY, PIN_NAME, PIN_POSITION, REVISION_POSITION } from "../contract/pins.ts";
import { listOf, named } from "../contract/schema.ts";
import { parseStorePath } from "../nix/store-path.ts";
import { inBody } from "./input.ts";
import { operation } from "./operation.ts";
import { NEXT, pageOf, withCursor } from "./page.ts";

const NO_PIN = { 404: "There is no such pin." };
const ONE = { path: "/pins/{name}", parameters: { name: PIN_NAME } } as const;

export const PIN_OPERATIONS = [
  operation({
    id: "listPins",
    method: "GET",
    path: "/pins",
    permission: "list",
    summary: "The pins, by name, each with its newest revisions.",
    parameters: pageOf(PIN_POSITION),
    answer: named("PinPage", v.object({ pins: listOf(PIN), ...NEXT })),
    handle: async ({ catalog }, { parameters: { limit, cursor: after } }) => {
      const { pins, ...page } = await catalog((c) => c.listPins({ limit, ...(after && { after }) }));
      return { pins: pins.map(withCursor), ...withCursor(page) };
    },
  }),
  operation({
    id: "getPin",
    method: "GET",
    ...ONE,
    permission: "list",
    summary: "The newest store path of a pin, and the others that it keeps.",
    parameters: { ...ONE.parameters, ...pageOf(REVISION_POSITION) },
    answer: PIN,
    errors: NO_PIN,
    handle: async ({ catalog }, { parameters: { name, limit, cursor: after } }) =>
      withCursor(await catalog((c) => c.getPin(name, { limit, ...(after && { after }) }))),
  }),
  operation({
    id: "putPin",
    method: "PUT",
    ...ONE,
    permission: "push",
    isWrite: true,
    summary: "Pin a path: it and all that it refers to stay.",
    description:
      "The path becomes the newest revision of the pin, which always stays; older ones stay as keep_revisions and keep_days say.",
    body: PIN_BODY,
    answer: PIN,
    errors: { 409: "The path is not in the cache." },
    handle: async (
      { config, catalog, identity },
      { parameters, body: { store_path, keep_revisions, keep_days } },
    ) => {
      const { hash, name } = inBody("store_path", () => parseStorePath(store_path, config.storeDir));
      const pin = {
        hash,
        name,
        ...(keep_revisions && { keepRevisions: keep_revisions }),
        ...(keep_days && { keepDays: keep_days }),
      };
      return withCursor(await catalog((c) => c.putPin(parameters.name, pin, identity.name)));
    },
  }),
  operation({
    id: "deletePin",
    method: "DELETE",
    ...ONE,
    permission: "push",
    isWrite: true,
    summary: "Delete a pin with all of its revisions.",
    description: "The paths stay until they are too old, or until nothing else keeps them.",
    answer: named("DeletedPin", v.object({ deleted: PIN_NAME })),
    errors: NO_PIN,
    handle: async ({ catalog }, { parameters: { name } }) => {
      await catalog((c) => c.deletePin(name));
      return { deleted: name };
    },
  }),
];
