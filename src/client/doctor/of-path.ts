// Whether a path can be had from the cache: narinfo, signature, NAR, references.
import { fingerprint } from "../../nix/fingerprint.ts";
import { FormatError } from "../../nix/format-error.ts";
import { type PublicKey, parsePublicKey, verify } from "../../nix/keys.ts";
import { type NarInfo, parseNarInfo } from "../../nix/narinfo.ts";
import { provesItself } from "../../nix/self-proof.ts";
import type { Cache } from "../http/api.ts";
import { REDIRECTIONS } from "../http/retry.ts";
import type { NixSettings } from "../store/nix-settings.ts";
import { type Finding, findingsOf } from "./finding.ts";

const NOT_FOUND = 404;

/** The narinfo is absent where the cache has none. */
export async function checkPath(
  cache: Cache,
  hash: string,
  storeDir: string,
  settings: NixSettings,
): Promise<{ readonly findings: Finding[]; readonly info: NarInfo | undefined }> {
  const { ok, fault } = findingsOf("path");
  const { status, body } = await cache.send({ method: "GET", path: `/${hash}.narinfo` }, [
    NOT_FOUND,
    ...REDIRECTIONS,
  ]);
  if (REDIRECTIONS.includes(status)) {
    return {
      findings: [ok(`an upstream of the cache has ${hash}: readers are sent there`)],
      info: undefined,
    };
  }
  if (status === NOT_FOUND) {
    const remedy = "nix-cache push PATH; what an upstream of the cache has is pulled from there";
    return { findings: [fault(`the cache does not have ${hash}`, remedy)], info: undefined };
  }
  const info = parseNarInfo(body.toString("utf8"), storeDir);
  return {
    info,
    findings: [
      ok(`the cache has ${info.storePath.baseName}`),
      await checkSignature(info, storeDir, settings),
      await checkNar(cache, info),
      await checkReferences(cache, info),
    ],
  };
}

async function checkSignature(info: NarInfo, storeDir: string, settings: NixSettings): Promise<Finding> {
  const { ok, fault, skipped } = findingsOf("signature");
  if (!settings.requireSigs) return skipped("this Nix requires no signatures");
  const keys: PublicKey[] = [];
  for (const text of settings.trustedPublicKeys) {
    try {
      keys.push(await parsePublicKey(text));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return fault(
        `trusted-public-keys has something that is no key: ${error.message}`,
        "correct it in nix.conf",
      );
    }
  }
  const signer = await verify(keys, fingerprint(info), info.signatures);
  if (signer !== undefined) return ok(`signed by ${signer}, which Nix trusts`);
  if (await provesItself(info, storeDir)) return ok("content-addressed: it needs no signature");
  const names = info.signatures.map((signature) => signature.replace(/:.*/, ""));
  return fault(
    `no signature is by a key that Nix trusts; it is signed by ${names.join(", ") || "nobody"}`,
    "trust that key (nix-cache use), or let the cache sign again after its key was changed (/api/v1/resign)",
  );
}

async function checkNar(cache: Cache, { url, fileSize }: NarInfo): Promise<Finding> {
  const { ok, fault } = findingsOf("nar");
  const { status, headers } = await cache.send({ method: "HEAD", path: `/${url}` }, [
    NOT_FOUND,
    ...REDIRECTIONS,
  ]);
  if (status === NOT_FOUND)
    return fault(`its NAR ${url} is not there`, "nix-cache check --repair, then push it again");
  const size = Number(headers["content-length"]);
  if (fileSize !== undefined && size !== fileSize) {
    return fault(`its NAR has ${size} bytes and must have ${fileSize}`, "nix-cache check --repair");
  }
  return ok("its NAR is there");
}

async function checkReferences(cache: Cache, { references, storePath }: NarInfo): Promise<Finding> {
  const { ok, warning } = findingsOf("references");
  const others = references.filter((reference) => reference !== storePath.baseName);
  const missing: string[] = [];
  // The limit of a question without a token.
  for (let at = 0; at < others.length; at += 1000) {
    const paths = others.slice(at, at + 1000);
    missing.push(...(await cache.call<{ missing: string[] }>("POST", "/missing", { paths })).missing);
  }
  if (missing.length === 0) return ok(`its ${others.length} references are there`);
  return warning(
    `${missing.length} of its references are not here: ${missing.slice(0, 3).join(", ")}`,
    "another substituter must have them, such as https://cache.nixos.org",
  );
}
