// `nix-cache stats`.
import type { Stats } from "../../contract/stats.ts";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { bytesText, table } from "../ground/format.ts";
import { openCache } from "../http/api.ts";

export const STATS = command({
  name: "stats",
  summary: "shows the cache in numbers",
  examples: [{ line: "nix-cache stats", does: "paths, bytes, growth, the largest" }],
  flags: {},
  async run({ global, env, output }) {
    const stats = await openCache(global, env).call<Stats>("GET", "/stats");
    output.result(stats, () => textOf(stats));
    return EXIT.done;
  },
});

function textOf(stats: Stats): string {
  const { verification } = stats;
  return [
    `${stats.paths} paths, ${bytesText(stats.nar_size)} unpacked`,
    `${stats.nars} NARs, ${bytesText(stats.stored_size)} in the bucket`,
    `${verification.verified} NARs verified, ${verification.waiting} waiting, ${verification.false_narinfos.count} false paths deleted`,
    `catalog ${bytesText(stats.catalog_size)}; as of ${stats.as_of}`,
    "",
    table(
      ["COMPRESSION", "PATHS", "UNPACKED", "STORED"],
      stats.by_compression.map((row) => [
        row.compression,
        String(row.paths),
        bytesText(row.nar_size),
        bytesText(row.file_size),
      ]),
      ["PATHS", "UNPACKED", "STORED"],
    ),
    table(
      ["LARGEST", "PATH"],
      stats.largest.map((path) => [bytesText(path.file_size ?? path.nar_size), path.store_path]),
      ["LARGEST"],
    ),
  ].join("\n");
}
