/** What is thrown becomes an answer of one line. */
import { describe, expect, test } from "vitest";
import { errorResponse, HttpError, textLine } from "../../src/http/errors.ts";
import { read } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { expectRefusal } from "../support/refusal.ts";

describe("a refusal", () => {
  test("has its status, its headers and its line", async () => {
    const response = errorResponse(new HttpError(405, "this path answers GET only", { Allow: "GET" }));
    expect(response.headers.get("Allow")).toBe("GET");
    expect(expectRefusal(await read(response), 405)).toBe("this path answers GET only\n");
  });

  test.each([
    ["several lines", "one\ntwo\r\nthree", "one two three\n"],
    ["what a terminal obeys", "a\x1b[31mb\x07\0c", "a [31mb c\n"],
    ["what turns the direction of writing", "a\u202eb\u2028c", "a b c\n"],
    ["half a character", "a\ud83db", "a b\n"],
    ["letters beyond ASCII, which stay", "schlüssel-1 鍵 🔑…", "schlüssel-1 鍵 🔑…\n"],
    ["white space around it", " a \n", "a\n"],
  ])("is one line: %s", async (_, message, line) => {
    expect(expectRefusal(await read(errorResponse(new HttpError(400, message))), 400)).toBe(line);
  });

  test.each(["long ", "ü", "鍵", "🔑"])("is short enough for Nix to show it: %s", async (text) => {
    const line = expectRefusal(await read(errorResponse(new HttpError(400, text.repeat(1000)))), 400);
    const { length } = new TextEncoder().encode(line);
    expect(length).toBeGreaterThan(900);
    expect(length).toBeLessThan(1024);
    expect(line).toMatch(/[^\ufffd]\.\.\.\n$/);
  });
});

describe("anything else that is thrown", () => {
  const log = captureLog();

  test.each([
    ["an error", new TypeError("secret detail at db.ts:12")],
    ["a text", "secret detail"],
    ["nothing", undefined],
    ["something odd", { status: 200, message: "secret detail" }],
  ])("%s: 500 for the client, the cause for the log", async (_, thrown) => {
    const line = expectRefusal(await read(errorResponse(thrown)), 500);
    expect(line).not.toContain("secret");
    expect(log).toHaveBeenCalledWith("unexpected error", thrown);
  });
});

test("a line about a success looks the same", async () => {
  expect(expectRefusal(await read(textLine(201, "stored x")), 201)).toBe("stored x\n");
});
