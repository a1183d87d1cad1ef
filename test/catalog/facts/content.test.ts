// What stays known of a NAR after another look at it.
import { describe, expect, it } from "vitest";
import { type Content, mergeContent, mergeFacts } from "../../../src/catalog/content.ts";

const READ: Content = { kind: "nar", hash: "sha256:a", size: 1, addresses: { x: true } };
const UNREAD: Content = { kind: "nar", hash: "sha256:a", size: 1, addresses: {}, isUnread: true };
const FALSE: Content = { kind: "false", reason: "is cut", limit: 1 };
const ENDLESS: Content = { kind: "unverifiable", reason: "does not end" };

describe("mergeContent", () => {
  it.each<[string, Content | undefined, Content, readonly string[], Content]>([
    ["nothing was known", undefined, READ, [], READ],
    ["a reading that did not end leaves what one has found", READ, ENDLESS, [], READ],
    [
      "and cannot tell the addresses it was to check",
      READ,
      ENDLESS,
      ["x", "y"],
      { ...READ, addresses: { x: true, y: null } },
    ],
    ["a checksum alone is no reading", UNREAD, ENDLESS, [], ENDLESS],
    ["nor does it undo one", READ, UNREAD, [], READ],
    ["a reading says more", UNREAD, READ, [], READ],
    ["bytes that have rotted", READ, FALSE, [], FALSE],
    ["a longer claim", FALSE, READ, [], READ],
    [
      "addresses add up",
      READ,
      { ...READ, addresses: { y: false } },
      [],
      { ...READ, addresses: { x: true, y: false } },
    ],
  ])("%s", (_, earlier, content, asked, expected) => {
    expect(mergeContent(earlier, content, asked)).toEqual(expected);
  });
});

describe("mergeFacts", () => {
  it("keeps what another reading of the same object has found meanwhile", () => {
    const row = { etag: "1", facts: { xz: READ, br: FALSE } };
    const known = { etag: "1", facts: { xz: { ...READ, addresses: { y: true } } } };
    expect(mergeFacts(row, known)).toEqual({
      etag: "1",
      facts: { xz: { ...READ, addresses: { x: true, y: true } }, br: FALSE },
    });
    expect(mergeFacts({ ...row, etag: "2" }, known)).toEqual(known);
    expect(mergeFacts(undefined, known)).toEqual(known);
  });
});
