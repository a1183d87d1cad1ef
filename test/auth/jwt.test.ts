/** JSON Web Tokens taken apart and verified: the examples of RFC 7515, and what no token is. */
import { describe, expect, test } from "vitest";
import { isSignedBy, type Jwt, parseJwt, signJwt } from "../../src/auth/jwt.ts";

// RFC 7515, appendices A.1 to A.3: the same claims under three headers.
const CLAIMS =
  "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const EXAMPLES = [
  {
    alg: "HS256",
    token: `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`,
    algorithm: { name: "HMAC", hash: "SHA-256" },
    jwk: {
      kty: "oct",
      k: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    },
  },
  {
    alg: "RS256",
    token: `eyJhbGciOiJSUzI1NiJ9.${CLAIMS}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw`,
    algorithm: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    jwk: {
      kty: "RSA",
      n: "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
      e: "AQAB",
    },
  },
  {
    alg: "ES256",
    token: `eyJhbGciOiJFUzI1NiJ9.${CLAIMS}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`,
    algorithm: { name: "ECDSA", namedCurve: "P-256" },
    jwk: {
      kty: "EC",
      crv: "P-256",
      x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    },
  },
] as const;

function keyOf({ jwk, algorithm }: (typeof EXAMPLES)[number]): Promise<CryptoKey> {
  return crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
}

function parsed(token: string): Jwt {
  const jwt = parseJwt(token);
  if (jwt === undefined) throw new Error(`no token: ${token}`);
  return jwt;
}

describe.each(EXAMPLES)("the example of $alg", (example) => {
  const jwt = parsed(example.token);

  test("is taken apart and verified", async () => {
    expect(jwt.header.alg).toBe(example.alg);
    expect(jwt.claims).toEqual({ iss: "joe", exp: 1300819380, "http://example.com/is_root": true });
    expect(await isSignedBy(await keyOf(example), jwt)).toBe(true);
  });

  test("has no other signature, of whatever length", async () => {
    const key = await keyOf(example);
    for (const length of [0, 1, jwt.signature.length - 1, jwt.signature.length, jwt.signature.length + 1]) {
      expect(await isSignedBy(key, { ...jwt, signature: new Uint8Array(length) })).toBe(false);
    }
    const [first = 0, ...rest] = jwt.signed;
    expect(await isSignedBy(key, { ...jwt, signed: new Uint8Array([first ^ 1, ...rest]) })).toBe(false);
  });
});

test("a signature by Ed25519, of whatever length", async () => {
  const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  if (!("publicKey" in pair)) throw new Error("no pair of keys");
  const jwt = parsed(EXAMPLES[0].token);
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, jwt.signed));
  expect(await isSignedBy(pair.publicKey, { ...jwt, signature })).toBe(true);
  for (const wrong of [new Uint8Array(), signature.subarray(1), new Uint8Array([...signature, 0])]) {
    expect(await isSignedBy(pair.publicKey, { ...jwt, signature: wrong })).toBe(false);
  }
});

test("what is signed is verified", async () => {
  const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  if (!("algorithm" in key)) throw new Error("no key");
  const jwt = parsed(await signJwt({ alg: "HS256" }, { sub: "ü€𝄞" }, key));
  expect(jwt).toMatchObject({ header: { alg: "HS256" }, claims: { sub: "ü€𝄞" } });
  expect(await isSignedBy(key, jwt)).toBe(true);
});

describe("is no token:", () => {
  const part = (text: string) =>
    new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });
  const claims = part('{"sub":"a"}');
  const header = part('{"alg":"HS256"}');

  test("(but this is one)", () => {
    expect(parseJwt(`${header}.${claims}.AAAA`)).toBeDefined();
  });

  test.each([
    ["nothing", ""],
    ["two parts", `${header}.${claims}`],
    ["four parts", `${header}.${claims}.AAAA.AAAA`],
    ["an encrypted token", `${header}.AAAA.AAAA.${claims}.AAAA`],
    ["a header that is no JSON", `${part("alg")}.${claims}.AAAA`],
    ["a header that is a list", `${part("[]")}.${claims}.AAAA`],
    ["claims that are a text", `${header}.${part('"a"')}.AAAA`],
    ["claims that are null", `${header}.${part("null")}.AAAA`],
    ["claims that are not UTF-8", `${header}.${new Uint8Array([0x22, 0xff, 0x22]).toBase64()}.AAAA`],
    ["claims after a byte order mark", `${header}.${part('\ufeff{"sub":"a"}')}.AAAA`],
    ["a length that no bytes have", `${header}.${claims}.AAAAA`],
    ["padding", `${header}.${claims}.AAA=`],
    ["a blank", `${header}.${claims}.AA AA`],
    ["a newline at the end", `${header}.${claims}.AAAA\n`],
    ["the other alphabet of base64", `${header}.${claims}.AA+/`],
    ["an extension to understand", `${part('{"alg":"HS256","crit":["b64"],"b64":false}')}.${claims}.AAAA`],
    ["an extension without a name", `${part('{"alg":"HS256","crit":[]}')}.${claims}.AAAA`],
  ])("%s", (_, token) => {
    expect(parseJwt(token)).toBeUndefined();
  });
});
