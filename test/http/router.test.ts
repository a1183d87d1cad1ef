/** The route table: which route a request gets, and what is said where there is none. */
import { describe, expect, test } from "vitest";
import { matchRoute, type Route } from "../../src/http/router.ts";

type TestRoute = Route<string, string>;
const route = (method: TestRoute["method"], pattern: RegExp, handler: string, more = {}): TestRoute => ({
  method,
  pattern,
  permission: "any",
  handler,
  ...more,
});

const ROUTES = [
  route("GET", /^\/fixed$/, "read fixed"),
  route("PUT", /^\/fixed$/, "write fixed"),
  route("POST", /^\/only-post$/, "post"),
  route("GET", /^\/name\/([a-z?=]+)\.x$/, "read name", { nameMayHaveQuestionMark: true }),
  route("GET", /^\/plain\/([a-z]+)$/, "read plain"),
];

describe("the route of a request", () => {
  test.each([
    ["GET", "/fixed", "read fixed"],
    ["HEAD", "/fixed", "read fixed"],
    ["PUT", "/fixed", "write fixed"],
    ["POST", "/only-post", "post"],
    ["GET", "/plain/abc", "read plain"],
  ])("%s %s", (method, path, handler) => {
    expect(matchRoute(ROUTES, method, { path, query: "" }).route.handler).toBe(handler);
  });

  test("gives what the pattern caught", () => {
    expect(matchRoute(ROUTES, "GET", { path: "/plain/abc", query: "" }).groups[1]).toBe("abc");
  });
});

describe("a query may be a part of the name only where the route says so", () => {
  test.each([
    [{ path: "/name/a", pathWithQuery: "/name/a?b.x", query: "" }, "a?b"],
    [{ path: "/name/a.x", pathWithQuery: "/name/a.x?b=c", query: "" }, "a"],
    [{ path: "/plain/a", pathWithQuery: "/plain/a?b", query: "" }, "a"],
  ])("%j", (path, name) => {
    expect(matchRoute(ROUTES, "GET", path).groups[1]).toBe(name);
  });
});

describe("no route", () => {
  test.each(["/", "/fixe", "/fixedd", "/Fixed", "/x/fixed", "/fixed/x", "/plain/", "/plain/A"])(
    "404: %s",
    (path) => {
      for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PROPFIND"]) {
        expect(() => matchRoute(ROUTES, method, { path, query: "" })).toThrow(
          expect.objectContaining({ status: 404 }),
        );
      }
    },
  );

  test.each([
    ["POST", "/fixed", "GET, HEAD, PUT"],
    ["DELETE", "/fixed", "GET, HEAD, PUT"],
    ["OPTIONS", "/fixed", "GET, HEAD, PUT"],
    ["get", "/fixed", "GET, HEAD, PUT"],
    ["GET", "/only-post", "POST"],
    ["HEAD", "/only-post", "POST"],
    ["PUT", "/plain/abc", "GET, HEAD"],
  ])("405: %s %s allows %s", (method, path, allow) => {
    expect(() => matchRoute(ROUTES, method, { path, query: "" })).toThrow(
      expect.objectContaining({ status: 405, headers: { Allow: allow } }),
    );
  });
});
