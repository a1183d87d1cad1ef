// Nix signing keys: `name:base64`, the secret one the seed and the public half, 64 bytes.
import { generateKeyPairSync } from "node:crypto";

export type SigningKey = { secret: string; public: string };

export function newKey(name: string): SigningKey {
  const { d = "", x = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const seed = Buffer.from(d, "base64url");
  const half = Buffer.from(x, "base64url");
  const secret = Buffer.concat([seed, half]).toString("base64");
  return { secret: `${name}:${secret}`, public: `${name}:${half.toString("base64")}` };
}
