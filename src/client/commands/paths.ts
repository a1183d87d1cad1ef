// `nix-cache path`, `search` and `delete`: paths of the cache.
import type { Deleted, PathDetail, PathSummary } from "../../contract/paths.ts";
import type { DeletionReport } from "../../contract/runs.ts";
import { usage } from "../command/parse.ts";
import { command } from "../command/spec.ts";
import { EXIT } from "../ground/exit.ts";
import { bytesText, table } from "../ground/format.ts";
import { allPages, openCache } from "../http/api.ts";
import { hashPartOf } from "../store/hash-part.ts";
import { waitForRun } from "./runs.ts";

const DEFAULT_LIMIT = 50;
const SHOWN = 10;

export const PATH = command({
  name: "path",
  summary: "shows what the cache knows of a path",
  args: "PATH",
  takes: { min: 1, max: 1 },
  completes: "file",
  details: ["PATH is a store path, its hash part, or a link to it such as ./result."],
  examples: [{ line: "nix-cache path ./result", does: "sizes, references, closure, signatures" }],
  flags: {},
  async run({ args: [path = ""], global, env, output }) {
    const hash = await hashPartOf(path, env);
    const detail = await openCache(global, env).call<PathDetail>("GET", `/paths/${hash}`);
    output.result(detail, () => describe(detail));
    return EXIT.done;
  },
});

function describe(detail: PathDetail): string {
  const { closure, verification } = detail;
  const size = detail.file_size === null ? "" : `, ${bytesText(detail.file_size)} as ${detail.compression}`;
  const rows: [string, string][] = [
    ["path", detail.store_path],
    ["size", `${bytesText(detail.nar_size)}${size}`],
    ["nar", `${detail.nar} (${detail.nar_hash})`],
    ["closure", `${closure.paths}${closure.more ? " or more" : ""} paths, ${bytesText(closure.nar_size)}`],
    ["elsewhere", `${closure.upstream} in upstreams, ${closure.missing} missing`],
    ["verified", verification.reason ? `${verification.state}: ${verification.reason}` : verification.state],
    ["signed by", detail.signers.join(", ") || "nobody"],
    ["deriver", detail.deriver ?? "unknown"],
    ["pushed", `${detail.first_push}, last ${detail.last_push} by ${detail.pushed_by}`],
    ["references", some(detail.references, detail.reference_count)],
    ["referrers", some(detail.referrers, detail.referrer_count)],
    ["missing", detail.missing_references.join(" ")],
    [
      "other builds",
      detail.differing_builds.map((build) => `${build.nar_hash} by ${build.pushed_by}`).join("; "),
    ],
  ];
  return rows
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name.padEnd(13)}${value}\n`)
    .join("");
}

function some(names: readonly string[], count: number): string {
  const rest = count > SHOWN ? ` and ${count - SHOWN} more` : "";
  return count === 0 ? "" : `${count}: ${names.slice(0, SHOWN).join(" ")}${rest}`;
}

export const SEARCH = command({
  name: "search",
  summary: "lists paths by name, or the newest",
  args: "[TEXT]",
  takes: { min: 0, max: 1 },
  examples: [
    { line: "nix-cache search firefox", does: "names that contain it" },
    { line: "nix-cache search --prefix nixos-system-", does: "names that begin with it" },
    { line: "nix-cache search --limit 10", does: "what was pushed last" },
  ],
  flags: {
    prefix: { help: "TEXT is the beginning of the name, case-sensitive" },
    limit: { value: "N", help: `so many paths, ${DEFAULT_LIMIT} if not given` },
  },
  async run({ args: [text], flags, global, env, output }) {
    const limit = Number(flags.limit ?? DEFAULT_LIMIT);
    if (!Number.isInteger(limit) || limit < 1) throw usage({ name: "search" }, "--limit is a number from 1");
    const query = text === undefined ? "" : `?${flags.prefix ? "prefix" : "q"}=${encodeURIComponent(text)}`;
    const paths = await allPages<PathSummary>(openCache(global, env), `/paths${query}`, "paths", limit);
    output.result(paths, () =>
      table(
        ["SIZE", "PUSHED", "BY", "PATH"],
        paths.map((path) => [
          bytesText(path.nar_size),
          path.last_push.slice(0, 10),
          path.pushed_by,
          path.store_path,
        ]),
        ["SIZE"],
      ),
    );
    return EXIT.done;
  },
});

export const DELETE = command({
  name: "delete",
  summary: "deletes a path from the cache (admin)",
  args: "PATH",
  takes: { min: 1, max: 1 },
  completes: "file",
  examples: [
    { line: "nix-cache delete /nix/store/HASH-NAME", does: "refused while other paths refer to it" },
    {
      line: "nix-cache delete --referrers --now HASH",
      does: "a leaked secret: with all referrers, and the NARs at once",
    },
  ],
  flags: {
    referrers: { help: "also deletes all that refers to it" },
    now: { help: "the NARs go at once, and not after the grace period" },
  },
  async run({ args: [path = ""], flags, global, env, output }) {
    const cache = openCache(global, env);
    const query = new URLSearchParams({
      ...(flags.referrers && { closure: "referrers" }),
      ...(flags.now && { now: "true" }),
    });
    const target = `/paths/${await hashPartOf(path, env)}${query.size > 0 ? `?${query}` : ""}`;
    const answer = await cache.call<Deleted | DeletionReport>("DELETE", target);
    if ("kind" in answer) {
      const report = await waitForRun<DeletionReport>(cache, "deletion", output);
      output.result(report, () => `deleted ${report.deleted} of ${report.found} paths\n`);
      return report.stopped === undefined ? EXIT.done : EXIT.partly;
    }
    output.result(answer, () => answer.deleted.map((name) => `deleted ${name}\n`).join(""));
    return EXIT.done;
  },
});
