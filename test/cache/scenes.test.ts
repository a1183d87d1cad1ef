/** A run through every route: each is answered as it should be, and a check finds nothing wrong after it. */
import { reset } from "cloudflare:test";
import { afterEach, expect, test } from "vitest";
import type { Env } from "../../src/env.ts";
import { parsePath } from "../../src/http/path.ts";
import { matchRoute } from "../../src/http/router.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { ROUTES } from "../../src/routes.ts";
import { ADMIN_TOKEN, cacheWith } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { SCENES, send } from "../support/scenes.ts";

afterEach(reset);
captureLog();

const VARIABLES: Partial<Env> = {
  ADMIN_TOKEN,
  TOKEN_SECRET: "a-secret-of-more-than-thirty-two-characters",
  SIGNING_KEY: (await generateSecretKey("scenes-1")).secret,
};

test("every route has a scene", () => {
  const seen = SCENES.map(({ method, path }) => {
    const { route } = matchRoute(ROUTES, method, parsePath(`https://cache.example.org${path}`));
    return route;
  });
  expect(ROUTES.filter((route) => !seen.includes(route))).toEqual([]);
});

test.each(SCENES.map((scene) => [`${scene.method} ${scene.path}`, scene] as const))(
  "%s",
  async (_, scene) => {
    const cache = cacheWith(VARIABLES);
    const { status, text } = await send(cache, { ...scene, ...(await scene.prepare?.(cache)) });
    expect(status < 300, `${status}: ${text}`).toBe(scene.isRefused !== true);
    const check = await send(cache, { method: "POST", path: "/api/v1/check", body: '{"restart": true}' });
    const found = JSON.parse(check.text) as { done: boolean; findings: Record<string, { count: number }> };
    expect(found, check.text).toMatchObject({ done: true });
    expect(Object.values(found.findings).filter(({ count }) => count > 0)).toEqual([]);
  },
);
