// `nix-cache import`.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { usage } from "../command/parse.ts";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { bytesText } from "../ground/format.ts";
import { type Cache, openCache } from "../http/api.ts";
import { allPathsOf, inFolders } from "../import/by-nix.ts";
import { type ImportOptions, type ImportReport, importAll } from "../import/import.ts";
import { followEnvironment } from "../import/network.ts";
import { folderSource, httpSource, type Source } from "../import/source.ts";
import { storeDirIn } from "../import/walk.ts";
import { failureOf } from "../push/failure.ts";
import { hashPartOf } from "../store/hash-part.ts";
import { PUSH_FLAGS, pathsOfStdin, readPushFlags } from "./push.ts";

export const IMPORT = command({
  name: "import",
  summary: "imports closures from another binary cache",
  args: "FROM [PATH...]",
  takes: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "directory",
  details: [
    "FROM is a cache by HTTP (Cachix, Attic, nix-serve, Harmonia), a folder that `nix copy --to file://` has written, or a store that Nix reads, such as s3://bucket. Signatures and compression stay as they are. What is here is passed by, so a second import goes on where the first was interrupted.",
    "A folder or an s3:// store is imported whole where no PATH is given. A cache by HTTP cannot be listed: name paths, such as those of your profiles and systems.",
  ],
  examples: [
    { line: "nix-cache import https://old.cachix.org ./result", does: "the closure of a path" },
    {
      line: "nix path-info --all | nix-cache import https://old.cachix.org --stdin --skip-absent",
      does: "all that this machine has and the old cache, too",
    },
    { line: "nix-cache import /srv/cache", does: "a whole folder" },
    {
      line: "nix-cache import 's3://bucket?region=eu-west-1'",
      does: "a whole bucket, by this machine's Nix",
    },
  ],
  flags: {
    stdin: { help: "reads more paths from standard input, separated by white space" },
    "skip-absent": { help: "passes by named paths that the source does not have" },
    jobs: PUSH_FLAGS.jobs,
    compression: {
      ...PUSH_FLAGS.compression,
      help: "of NARs that the source has not compressed (nix-serve)",
    },
    "part-size": PUSH_FLAGS["part-size"],
    "dry-run": { short: "n", help: "only says what would be imported" },
  },
  async run({ args: [from = "", ...named], flags, global, env, output }) {
    const paths = [...named, ...(flags.stdin ? await pathsOfStdin() : [])];
    const progress = output.progress();
    const { jobs, compression, partSize } = readPushFlags(
      { ...flags, exclude: [], "max-size": undefined, "no-listings": true, "no-logs": true },
      "import",
    );
    const options: ImportOptions = {
      ...{ jobs, compression, partSize, env },
      dryRun: flags["dry-run"],
      onProgress: (state) => progress.update(state),
      warn: output.warn,
    };
    const cache = openCache(global, env, { connections: jobs + 16 });
    const hashes = await Promise.all(paths.map((path) => hashPartOf(path, env)));
    const report = withoutAbsent(
      await importFrom(cache, from, paths, hashes, options),
      hashes,
      flags["skip-absent"],
    );
    const { imported, present, sent, failed } = report;
    output.result(
      { ...report, failed: failed.map(({ path, reason }) => ({ path, reason })) },
      () =>
        `${[
          options.dryRun
            ? `would import ${imported.length} paths`
            : `imported ${imported.length} paths (${bytesText(sent)} sent)`,
          `${present} were there`,
          ...(failed.length > 0 ? [`${failed.length} failed`] : []),
        ].join(", ")}\n`,
    );
    const failure = failureOf(imported, failed, "imported");
    if (failure !== undefined) throw failure;
    return EXIT.done;
  },
});

/** Throws {@link Failure} where the source is no binary cache, or does not answer. */
export async function importFrom(
  cache: Cache,
  from: string,
  paths: readonly string[],
  hashes: readonly string[],
  options: ImportOptions,
): Promise<ImportReport> {
  const url = URL.parse(from);
  if (url?.protocol === "http:" || url?.protocol === "https:") {
    if (hashes.length === 0) throw usage({ name: "import" }, "a cache by HTTP cannot be listed: name paths");
    await followEnvironment(options.env);
    const source = httpSource(from, options.env);
    return importAll(cache, source, hashes, storeDirIn(await source.info()), options);
  }
  if (url === null || url.protocol === "file:") {
    const dir = url === null ? resolve(from) : fileURLToPath(url);
    return importFolder(cache, dir, hashes, options);
  }
  const reports: ImportReport[] = [];
  const all = paths.length > 0 ? paths : await allPathsOf(from, options.env);
  await inFolders(from, all, options.env, async (dir) => {
    reports.push(await importFolder(cache, dir, [], options));
  });
  return {
    imported: reports.flatMap(({ imported }) => imported),
    present: reports.reduce((sum, { present }) => sum + present, 0),
    sent: reports.reduce((sum, { sent }) => sum + sent, 0),
    failed: reports.flatMap(({ failed }) => failed),
  };
}

async function importFolder(
  cache: Cache,
  dir: string,
  hashes: readonly string[],
  options: ImportOptions,
): Promise<ImportReport> {
  const source: Source = folderSource(dir);
  const storeDir = storeDirIn(await source.info());
  return importAll(cache, source, hashes.length > 0 ? hashes : (source.all() ?? []), storeDir, options);
}

/** A path that was named and is only on this machine is no failure where the user has said so. */
function withoutAbsent(report: ImportReport, named: readonly string[], skips: boolean): ImportReport {
  if (!skips) return report;
  return { ...report, failed: report.failed.filter(({ path }) => !named.includes(path)) };
}
