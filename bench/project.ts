// A copy of the sources, from which the measured Workers are built.
import { cp, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "..");
const SOURCES = ["wrangler.toml", "tsconfig.json", "src", "bench"];

/**
 * Copies the sources: wrangler reloads files that are saved while it runs, which would change the measured code, and
 * a changed configuration closes its port for a moment. The copy has no .dev.vars either.
 */
export async function copyProject(dir: string): Promise<string> {
  const project = join(dir, "project");
  for (const name of SOURCES) await cp(join(ROOT, name), join(project, name), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(project, "node_modules"));
  return project;
}
