// What `nix-store --dump-db` prints of store paths. Every Nix has it; it lacks signatures and content addresses.
import { parseSha256 } from "../../nix/hash.ts";
import { Failure } from "../ground/failure.ts";
import type { PathInfo } from "./path-info.ts";

/** Each path: its lines are path, NarHash (hex), NarSize, deriver, number of references, references. */
export function parseRegistrations(text: string): PathInfo[] {
  const lines = text.split("\n");
  const infos: PathInfo[] = [];
  for (let at = 0; at + 4 < lines.length; ) {
    const [path = "", hash = "", size = "", deriver = "", count = ""] = lines.slice(at, at + 5);
    if (!path.startsWith("/") || !/^\d+$/.test(size) || !/^\d+$/.test(count)) {
      throw new Failure("failed", "nix-store --dump-db printed something that is no registration");
    }
    infos.push({
      path,
      narHash: parseSha256(hash.includes(":") ? hash : `sha256:${hash}`),
      narSize: Number(size),
      references: lines.slice(at + 5, at + 5 + Number(count)),
      ...(deriver !== "" && { deriver }),
      signatures: [],
    });
    at += 5 + Number(count);
  }
  return infos;
}
