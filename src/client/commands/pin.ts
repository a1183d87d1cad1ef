// `nix-cache pin`: names for paths that stay.
import type { Pin } from "../../contract/pins.ts";
import { usage } from "../command/parse.ts";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { table } from "../ground/format.ts";
import { allPages, openCache } from "../http/api.ts";
import { resolve } from "../store/closure.ts";

const STORE_PATH = /^\/.+\/[0-9a-df-np-sv-z]{32}-[^/]+$/;

export const PIN_SET = command({
  name: "pin set",
  summary: "pins a path that is in the cache: it and its closure stay",
  args: "NAME PATH",
  takes: { min: 2, max: 2 },
  completes: "file",
  examples: [
    { line: "nix-cache pin set web-1 ./result", does: "the newest revision of the pin web-1" },
    { line: "nix-cache pin set web-1 ./result --keep-revisions 5", does: "and of older ones four stay" },
  ],
  flags: {
    "keep-revisions": { value: "N", help: "so many of the newest revisions stay" },
    "keep-days": { value: "DAYS", help: "revisions of so many days stay" },
  },
  async run({ args: [name = "", path = ""], flags, global, env, output }) {
    const storePath = STORE_PATH.test(path) ? path : (await resolve([path], false, env)).roots[0];
    const pin = await openCache(global, env).call<Pin>("PUT", pinPath(name), {
      store_path: storePath,
      ...numberFlag("keep_revisions", flags["keep-revisions"]),
      ...numberFlag("keep_days", flags["keep-days"]),
    });
    output.result(pin, () => `${pin.name} is ${pin.store_path}\n`);
    return EXIT.done;
  },
});

export const PIN_LIST = command({
  name: "pin list",
  summary: "lists pins",
  examples: [{ line: "nix-cache pin list", does: "all pins and their newest paths" }],
  flags: {},
  async run({ global, env, output }) {
    const pins = await allPages<Pin>(openCache(global, env), "/pins", "pins");
    output.result(pins, () =>
      table(
        ["PIN", "PINNED", "BY", "PATH"],
        pins.map(({ name, store_path, revisions }) => [
          name,
          revisions[0]?.pinned.slice(0, 10) ?? "",
          revisions[0]?.pinned_by ?? "",
          store_path,
        ]),
      ),
    );
    return EXIT.done;
  },
});

export const PIN_SHOW = command({
  name: "pin show",
  summary: "shows a pin's path, or with --revisions all of them",
  args: "NAME",
  takes: { min: 1, max: 1 },
  examples: [{ line: "nix-store --realise $(nix-cache pin show web-1)", does: "fetches what is pinned" }],
  flags: { revisions: { help: "also the older revisions" } },
  async run({ args: [name = ""], flags, global, env, output }) {
    const pin = await openCache(global, env).call<Pin>("GET", pinPath(name));
    output.result(pin, () => {
      if (!flags.revisions) return `${pin.store_path}\n`;
      const rows = pin.revisions.map((revision) => [
        revision.pinned,
        revision.pinned_by,
        revision.store_path,
      ]);
      return table(["PINNED", "BY", "PATH"], rows);
    });
    return EXIT.done;
  },
});

export const PIN_REMOVE = command({
  name: "pin remove",
  summary: "removes a pin; a collection may then take its paths",
  args: "NAME",
  takes: { min: 1, max: 1 },
  examples: [{ line: "nix-cache pin remove web-1", does: "with all of its revisions" }],
  flags: {},
  async run({ args: [name = ""], global, env, output }) {
    const answer = await openCache(global, env).call<object>("DELETE", pinPath(name));
    output.result(answer, () => `removed ${name}\n`);
    return EXIT.done;
  },
});

/** The cache's rule, asked before anything is sent. */
const PIN_NAME = /^[0-9A-Za-z][0-9A-Za-z._+=-]{0,127}$/;

/** Throws {@link Failure} of usage. */
export function requirePinName(name: string, command: string): void {
  if (PIN_NAME.test(name)) return;
  const rule = "at most 128 letters, digits and ._+=-, the first a letter or digit";
  throw usage({ name: command }, `'${name}' is no name of a pin: ${rule}`);
}

function pinPath(name: string): string {
  requirePinName(name, "pin");
  return `/pins/${encodeURIComponent(name)}`;
}

function numberFlag(property: string, text: string | undefined): Record<string, number> {
  if (text === undefined) return {};
  if (!/^[0-9]{1,5}$/.test(text)) throw usage({ name: "pin set" }, `'${text}' is not a number`);
  return { [property]: Number(text) };
}
