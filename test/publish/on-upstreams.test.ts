/** Publishing many paths whose references may be upstream: what each is told where not all could be asked for. */
import { expect, it } from "vitest";
import { unwrap } from "../../src/catalog-client.ts";
import type { Context } from "../../src/context.ts";
import type { UpstreamPath } from "../../src/contract/paths.ts";
import type { NarInfoToPublish } from "../../src/contract/publishing.ts";
import { publishAllOnUpstreams } from "../../src/publish/on-upstreams.ts";
import { RecentNars } from "../../src/recent-nars.ts";
import type { Finding } from "../../src/upstream/upstreams.ts";
import { testPath } from "../support/store-paths.ts";

const URL = "https://upstream.example.org";
const hash = (digit: string) => digit.repeat(32);

/** A Worker whose upstreams say this of hash parts, and what the catalog is told; the catalog knows no reference. */
function worker(findings: Readonly<Record<string, Finding>>) {
  const told: UpstreamPath[] = [];
  const publishAll = async (
    narinfos: readonly NarInfoToPublish[],
    _: string,
    upstream: "ask" | UpstreamPath[],
  ) => {
    if (upstream !== "ask") told.push(...upstream);
    const value = narinfos.map(({ narinfo }) => {
      const unknown = /^References: (.*)$/m.exec(narinfo)?.[1]?.split(" ") ?? [];
      const missing = unknown.filter((name) => !told.some(({ path }) => path === name));
      if (upstream === "ask") return { ok: false, refusal: { kind: "unknown-references", unknown } };
      if (missing.length === 0) return { ok: true, value: "created" };
      return { ok: false, refusal: { kind: "missing-references", path: "x", missing, more: 0 } };
    });
    return { ok: true, value };
  };
  const context = {
    catalog: (ask: (catalog: unknown) => Promise<never>) => unwrap(() => ask({ publishAll })),
    identity: { name: "tester" },
    upstreams: { all: [{ url: URL }], find: async (hash: string) => findings[hash] ?? "absent" },
    mayRead: async () => true,
    config: { cacheName: "nix-cache" },
    recentNars: new RecentNars(),
  } as unknown as Context;
  const publish = async (...references: string[][]) => {
    const paths = await Promise.all(
      references.map(async (names, index) => ({
        ...(await testPath(`path-${index}`, undefined, { references: names })),
        listing: undefined,
      })),
    );
    const outcomes = await publishAllOnUpstreams(context, paths);
    return outcomes.map((outcome) => (typeof outcome === "string" ? outcome : outcome.status));
  };
  return { publish, told };
}

const has = (baseName: string) => ({ upstream: { url: URL }, info: { storePath: { baseName } } }) as Finding;

it("a path is to be sent again only where one of its own references was not asked for", async () => {
  const { publish } = worker({ [hash("1")]: "not-asked", [hash("2")]: has(`${hash("2")}-there`) });
  const outcomes = await publish(
    [`${hash("0")}-absent`],
    [`${hash("1")}-not-asked`, `${hash("2")}-there`],
    [`${hash("2")}-there`],
  );
  expect(outcomes).toEqual([409, 503, "created"]);
});

it("two names of one hash part: the one that an upstream has is found", async () => {
  const { publish } = worker({ [hash("2")]: has(`${hash("2")}-there`) });
  expect(await publish([`${hash("2")}-there`], [`${hash("2")}-other`])).toEqual(["created", 409]);
});
