/** An issuer's keys: how often they are fetched, which are used while it is down, and concurrent fetches. */
// @module-tag slow
import { exportJWK } from "jose";
import { beforeEach, describe, expect, inject, test, vi } from "vitest";
import {
  COOL_DOWN_MS,
  createKeySource,
  FAILURE_COOL_DOWN_MS,
  FRESH_MS,
  type KeySource,
  type KeySourceOptions,
  STALE_MS,
} from "../../../src/auth/oidc/jwks.ts";
import { createIssuer, DISCOVERY, json, KEY_SET, type TestIssuer } from "../../support/oidc-issuer.ts";

const ONE_FETCH = [DISCOVERY, KEY_SET];
const DOWN = { [DISCOVERY]: { status: 503 } };

const warnings = vi.spyOn(console, "warn");
let issuer: TestIssuer;
let clock: number;
let keys: KeySource;

function source(options: Partial<KeySourceOptions> = {}): KeySource {
  return createKeySource({ now: () => clock, ...options });
}

beforeEach(async () => {
  warnings.mockReset().mockImplementation(() => {});
  issuer = await createIssuer(inject("oidcServer"));
  clock = 1_800_000_000_000;
  keys = source();
});

async function find(keyId = "RS256-1", from = keys): Promise<string> {
  return (await from.find(issuer.url, keyId, "RS256")).kind;
}

/** How many times the keys were fetched. */
async function fetches(): Promise<number> {
  return (await issuer.requests()).filter((path) => path === DISCOVERY).length;
}

test("are fetched once, in two requests, and kept", async () => {
  for (const id of ["RS256-1", "RS256-1"]) expect(await find(id)).toBe("key");
  expect((await keys.find(issuer.url, "ES256-1", "ES256")).kind).toBe("key");
  expect(await issuer.requests()).toEqual(ONE_FETCH);
});

test("are fetched again when they are old", async () => {
  await find();
  clock += FRESH_MS - 1;
  expect(await find()).toBe("key");
  expect(await fetches()).toBe(1);
  clock += 1;
  expect(await find()).toBe("key");
  expect(await fetches()).toBe(2);
});

test("a withdrawn key stops to count when they are fetched again", async () => {
  await find();
  await issuer.rotate();
  expect(await find()).toBe("key");
  clock += FRESH_MS;
  expect(await find()).toBe("unknown");
});

describe("a key that is not there", () => {
  test("after a rotation is fetched when the cool-down is over", async () => {
    await find();
    await issuer.rotate();
    expect(await find("RS256-2")).toBe("unknown");
    expect(await fetches()).toBe(1);
    clock += COOL_DOWN_MS;
    expect(await find("RS256-2")).toBe("key");
    expect(await fetches()).toBe(2);
  });

  test("limits requests to the issuer", async () => {
    for (let second = 0; second < 120; second++) {
      expect(await find(`invented-${second}`)).toBe("unknown");
      clock += 1000;
    }
    expect(await fetches()).toBe(4);
  });

  test("of another issuer has a cool-down of its own", async () => {
    const other = await createIssuer(inject("oidcServer"));
    await find("invented");
    expect((await keys.find(other.url, "RS256-1", "RS256")).kind).toBe("key");
  });

  test("of the right name but for another algorithm is none", async () => {
    expect(await find("ES256-1")).toBe("unknown");
  });
});

describe("an issuer that does not answer", () => {
  test("is asked again after a short while", async () => {
    await issuer.misbehave(DOWN);
    for (let second = 0; second < 10; second++) {
      expect(await find()).toBe("unavailable");
      clock += 1000;
    }
    expect(await fetches()).toBe(10_000 / FAILURE_COOL_DOWN_MS);
    expect(warnings).toHaveBeenCalledWith(expect.stringMatching(/^OIDC issuer http:.* answered 503/));
    await issuer.misbehave({});
    expect(await find()).toBe("key");
  });

  test("does not make known keys useless for some hours", async () => {
    await find();
    await issuer.misbehave(DOWN);
    clock += STALE_MS - 1;
    expect(await find()).toBe("key");
    // Whether it knows a key that is not here cannot be told.
    expect(await find("RS256-2")).toBe("unavailable");
    clock += 1;
    expect(await find()).toBe("unavailable");
  });

  test("is not asked with every token while known keys do", async () => {
    await find();
    await issuer.misbehave(DOWN);
    clock += FRESH_MS;
    for (let second = 0; second < 60; second++) {
      expect(await find()).toBe("key");
      clock += 1000;
    }
    expect(await fetches()).toBe(1 + 60_000 / COOL_DOWN_MS);
  });

  test("with a broken set of keys does not take the known ones away", async () => {
    await find();
    await issuer.misbehave({ [KEY_SET]: { body: '{"keys":[]}' } });
    clock += FRESH_MS;
    expect(await find()).toBe("key");
  });
});

describe("at one time", () => {
  test("one request fetches, and the others use what it has found", async () => {
    await issuer.misbehave({ [KEY_SET]: { body: JSON.stringify(issuer.keySet()), delay: 200 } });
    const found = await Promise.all(Array.from({ length: 20 }, () => find()));
    expect(new Set(found)).toEqual(new Set(["key"]));
    expect(await fetches()).toBe(1);
  });

  test("a request with a cached key waits for no fetch", async () => {
    await find();
    clock += FRESH_MS;
    await issuer.misbehave({ [DISCOVERY]: { delay: 1000 } });
    const slow = find();
    const begun = Date.now();
    expect(await find()).toBe("key");
    expect(Date.now() - begun).toBeLessThan(500);
    await slow;
  });

  test("a fetch goes on after the request that began it", async () => {
    const kept: Promise<void>[] = [];
    const from = source({ keepAlive: (work) => kept.push(work) });
    await issuer.misbehave({ [KEY_SET]: { body: JSON.stringify(issuer.keySet()), delay: 200 } });
    // The requester is gone: only the runtime awaits this.
    void find("RS256-1", from);
    expect(kept).toHaveLength(1);
    await kept[0];
    expect(await find("RS256-1", from)).toBe("key");
    expect(await fetches()).toBe(1);
  });

  test("a fetch whose request was killed keeps the others out no longer than it may last", async () => {
    let begun = 0;
    const dying = source({
      fetcher: (url, init) => {
        begun += 1;
        // Never settles, as what a killed request has begun.
        return begun === 1 ? new Promise(() => {}) : fetch(url, init);
      },
      // Waiting advances the clock.
      wait: async (ms) => {
        clock += ms;
      },
    });
    void find("RS256-1", dying);
    expect(await find("RS256-1", dying)).toBe("key");
    expect(begun).toBe(3);
  });
});

test("a key set with private and foreign keys in it gives the public ones only", async () => {
  const [rsa, ...others] = issuer.keySet().keys;
  const odd = { kty: "oct", k: "c2VjcmV0", kid: "RS256-1", alg: "RS256" };
  const body = JSON.stringify({ keys: [odd, null, "x", { kty: "RSA", n: "!", e: "AQAB" }, rsa, ...others] });
  await issuer.misbehave({ [KEY_SET]: { body } });
  const found = await keys.find(issuer.url, "RS256-1", "RS256");
  expect(found.kind === "key" && found.key.type).toBe("public");
});

test("a set with the key of another use or algorithm under this name does not give it", async () => {
  const [rsa] = issuer.keySet().keys;
  for (const change of [{ use: "enc" }, { alg: "RS512" }, { alg: "PS256" }, { kty: "EC" }]) {
    const keySet = [{ ...rsa, ...change }, ...issuer.keySet().keys.slice(1)];
    await issuer.misbehave({ [KEY_SET]: { body: JSON.stringify({ keys: keySet }) } });
    expect(await find("RS256-1", source())).toBe("unknown");
  }
});

test("an RSA key of 1024 bits is none", async () => {
  const parameters = {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  const usages = ["sign", "verify"];
  const pair = await crypto.subtle.generateKey({ ...parameters, modulusLength: 1024 }, true, usages);
  const jwk = { ...(await exportJWK((pair as CryptoKeyPair).publicKey)), kid: "RS256-1" };
  await issuer.misbehave({ [KEY_SET]: json({ keys: [jwk, issuer.keySet().keys[1]] }) });
  expect(await find()).toBe("unknown");
});

test("a key without a name in the token is the only one there is, or none", async () => {
  expect((await keys.find(issuer.url, undefined, "RS256")).kind).toBe("key");
  const [rsa] = issuer.keySet().keys;
  const two = { keys: [rsa, { ...rsa, kid: "another" }] };
  await issuer.misbehave({ [KEY_SET]: { body: JSON.stringify(two) } });
  expect((await source().find(issuer.url, undefined, "RS256")).kind).toBe("unknown");
});
