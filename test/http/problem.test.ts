/** Problem details, as RFC 9457 has them. */
import { describe, expect, it } from "vitest";
import { HttpError } from "../../src/http/errors.ts";
import { problemResponse } from "../../src/http/problem.ts";
import { captureLog } from "../support/log.ts";

const errors = captureLog();

describe("problemResponse", () => {
  it("tells a refusal as RFC 9457 wants it, with its headers", async () => {
    const response = problemResponse(new HttpError(405, "this path answers GET only", { Allow: "GET" }));
    expect(response.status).toBe(405);
    expect(Object.fromEntries(response.headers)).toEqual({
      allow: "GET",
      "cache-control": "no-store",
      "content-type": "application/problem+json",
    });
    expect(await response.json()).toEqual({
      type: "about:blank",
      title: "Method Not Allowed",
      status: 405,
      detail: "this path answers GET only",
    });
    expect(errors).not.toHaveBeenCalled();
  });

  it("tells the operator of a defect, and the client nothing of it", async () => {
    const defect = new TypeError("cannot read properties of SECRET");
    const response = problemResponse(defect);
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ title: "Internal Server Error", status: 500 });
    expect(text).not.toContain("SECRET");
    expect(errors).toHaveBeenCalledWith("unexpected error", defect);
  });

  it("stays one line of a bounded length", async () => {
    const problem = await problemResponse(new HttpError(400, `a\r\n\u001b[31mb ${"x".repeat(5000)}`)).json<{
      detail: string;
    }>();
    expect(problem.detail).toMatch(/^a \[31mb x+\.\.\.$/);
    expect(problem.detail.length).toBeLessThan(1024);
  });
});
