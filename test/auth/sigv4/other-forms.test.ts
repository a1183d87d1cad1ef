/** Forms of a signature that rarer clients send: over Date, and over a Content-Type that is empty. */
import { createHash, createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { HOST, NOW, SECRET, UNSIGNED, verified } from "./signer.ts";

const PATH = "/nix-cache/nar/x";

/** Signs exactly these headers; `sent` are those that arrive. */
function request(
  headers: Readonly<Record<string, string>>,
  datetime: string,
  sent: Readonly<Record<string, string>> = headers,
): Request {
  const all = { ...headers, host: HOST, "x-amz-content-sha256": UNSIGNED };
  const names = Object.keys(all).sort();
  const lines = names.map((name) => `${name}:${Reflect.get(all, name)}\n`).join("");
  const canonical = ["GET", PATH, "", lines, names.join(";"), UNSIGNED].join("\n");
  const scope = `${datetime.slice(0, 8)}/auto/s3/aws4_request`;
  const hash = createHash("sha256").update(canonical).digest("hex");
  const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  const key = scope.split("/").reduce<string | Buffer>((key, part) => hmac(key, part), `AWS4${SECRET}`);
  const signature = hmac(key, ["AWS4-HMAC-SHA256", datetime, scope, hash].join("\n")).toString("hex");
  return new Request(`https://${HOST}${PATH}`, {
    headers: {
      ...sent,
      host: HOST,
      "x-amz-content-sha256": UNSIGNED,
      authorization: `AWS4-HMAC-SHA256 Credential=push/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
    },
  });
}

const DATE = new Date(NOW).toUTCString();
const DATETIME = new Date(NOW).toISOString().replace(/[-:]|\.\d{3}/g, "");

describe("a signature over Date instead of x-amz-date", () => {
  test.each([
    ["an HTTP date", DATE],
    ["a date of ISO 8601", DATETIME],
  ])("%s", async (_, date) => {
    expect(await verified(request({ date }, DATETIME))).toBe("ok");
  });

  test("of another time than the signature's, or an old one, is refused", async () => {
    const other = new Date(NOW + 1000).toUTCString();
    expect(await verified(request({ date: other }, DATETIME))).toBe("SignatureDoesNotMatch");
    expect(await verified(request({ date: DATE }, DATETIME), NOW + 16 * 60_000)).toBe("RequestTimeTooSkewed");
  });

  test("counts only if it is signed and a date", async () => {
    expect(await verified(request({}, DATETIME, { date: DATE }))).toBe("AccessDenied");
    expect(await verified(request({ date: "yesterday" }, DATETIME))).toBe("AccessDenied");
    expect(await verified(request({}, DATETIME))).toBe("AccessDenied");
  });
});

test("an empty Content-Type may be signed, sent or not", async () => {
  const headers = { "content-type": "", "x-amz-date": DATETIME };
  expect(await verified(request(headers, DATETIME))).toBe("ok");
  expect(await verified(request(headers, DATETIME, { "x-amz-date": DATETIME }))).toBe("ok");
  const other = { "content-type": "text/plain", "x-amz-date": DATETIME };
  expect(await verified(request(headers, DATETIME, other))).toBe("SignatureDoesNotMatch");
});
