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
    ["what is not ASCII", "a\u202eb…", "a b\n"],
    ["white space around it", " a \n", "a\n"],
  ])("is one line of ASCII: %s", async (_, message, line) => {
    expect(expectRefusal(await read(errorResponse(new HttpError(400, message))), 400)).toBe(line);
  });

  test("is short enough for Nix to show it", async () => {
    const line = expectRefusal(await read(errorResponse(new HttpError(400, "long ".repeat(1000)))), 400);
    expect(line.length).toBeGreaterThan(900);
    expect(line).toMatch(/\.\.\.\n$/);
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
