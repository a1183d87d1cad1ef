// The realisations that Nix's database has. No command of Nix tells all of those of a path: the one of the derivation that
// a user names is another than that of the deriver, in which dependencies are resolved.
import { existsSync } from "node:fs";
import type { Env } from "../settings/locations.ts";
import { placeOf } from "./place.ts";

export interface Realisation {
  /** The full path of the output. */
  readonly path: string;
  /** Where it is in a binary cache. */
  readonly key: string;
  /** As Nix writes it. */
  readonly text: string;
}

/** Up to Nix 2.34. */
const ALL = `
  SELECT Realisations.id AS id, drvPath || '!' || outputName AS name, path, signatures
  FROM Realisations JOIN ValidPaths ON ValidPaths.id = outputPath`;
const DEPENDENCIES = `
  SELECT drvPath || '!' || outputName AS name, path
  FROM RealisationsRefs
  JOIN Realisations ON Realisations.id = realisationReference
  JOIN ValidPaths ON ValidPaths.id = outputPath
  WHERE referrer = ?`;

/**
 * Those of these output paths. None where the database cannot be read (a store on another machine, a Nix that keeps them
 * otherwise): the paths are usable without.
 */
export async function realisationsOf(paths: ReadonlySet<string>, env: Env): Promise<Realisation[]> {
  const file = placeOf(env).database;
  if (!existsSync(file)) return [];
  const { DatabaseSync } = await import("node:sqlite");
  try {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      const rows = database.prepare(ALL).all();
      const dependencies = database.prepare(DEPENDENCIES);
      return rows.flatMap((row) => {
        const path = String(row.path);
        if (!paths.has(path)) return [];
        const id = String(row.name);
        const text = JSON.stringify({
          dependentRealisations: Object.fromEntries(
            dependencies
              .all(Number(row.id))
              .map((other) => [String(other.name), baseName(String(other.path))]),
          ),
          id,
          outPath: baseName(path),
          signatures: String(row.signatures ?? "")
            .split(" ")
            .filter((signature) => signature !== ""),
        });
        return [{ path, key: `realisations/${id}.doi`, text }];
      });
    } finally {
      database.close();
    }
  } catch {
    return [];
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
