// The attacks against the real server: each is refused, nothing is stored, and the server goes on.
import { describe, expect, test } from "vitest";
import { CONTENT_ATTACKS } from "./attacks-content.ts";
import { HTTP_ATTACKS } from "./attacks-http.ts";
import { exchange } from "./raw.ts";
import { serve } from "./serve.ts";

const ATTACKS = [...HTTP_ATTACKS, ...CONTENT_ATTACKS];

const server = serve({ PUSH_TOKEN: "push", ADMIN_TOKEN: "admin", TOKEN_SECRET: "s".repeat(43) });

/** The content of the bucket, as clients see it. */
async function listing(): Promise<string[]> {
  const text = await (
    await fetch(`${server.url}/nix-cache?list-type=2`, { headers: { Authorization: "Bearer push" } })
  ).text();
  expect(text).toMatch(/^<\?xml/);
  return [...text.matchAll(/<Key>([^<]*)</g)].map(([, key]) => key ?? "");
}

test("no two attacks have one name", () => {
  const names = ATTACKS.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

describe("over a bare socket", () => {
  test.each(ATTACKS)("$name", async ({ bytes, answer }) => {
    const { statuses, text } = await exchange(server.port, bytes);
    if (answer === undefined) {
      expect(statuses.length, text.slice(0, 500)).toBeGreaterThan(0);
      for (const status of statuses) {
        expect(status, text.slice(0, 500)).toBeGreaterThanOrEqual(400);
        expect(status, text.slice(0, 500)).toBeLessThan(500);
      }
    } else {
      expect(answer).toContain(statuses[0] ?? 0);
    }
    if (answer === undefined) expect(text).not.toMatch(/\bat .*\.[jt]s:\d+|TypeError|workerd|miniflare/);
    expect(await listing()).toEqual([]);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });
});
