// Generates a closure with every legal oddity and puts it into a client's store. Input-addressed paths are made
// without building them, which would need namespaces: they come from a file:// cache written here.
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, scratchDir } from "./client.ts";
import { dumpNar } from "./nar.ts";

/** A store path that is about to be made. */
type Plan = { index: number; path: string; references: string[]; deriver: string | undefined };

/** Names that have triggered bugs: percent-encoding, `+` as a space, `?` as a query. */
const NAMES = [
  "hello-2.12",
  "gtk+-3.24",
  "c++",
  "a=b",
  "what?",
  "q?a=b",
  "v1.2_x-3",
  `long-${"x".repeat(200)}`,
];

/**
 * Puts a closure of exactly `size` new paths (more than 40) into the client's store and returns the
 * path that refers to all of them.
 */
export async function generateClosure(client: Client, size: number): Promise<string> {
  const salt = randomBytes(8).toString("hex");
  const cache = scratchDir();
  mkdirSync(join(cache, "nar"));
  writeFileSync(join(cache, "nix-cache-info"), `StoreDir: ${client.storeDir}\nWantMassQuery: 1\n`);
  const addressed = await contentAddressed(client, salt);
  await client.nix("copy", "--to", `file://${cache}?compression=none`, addressed);
  const plans: Plan[] = [];
  const trees = scratchDir();
  for (let index = 0; index < size - CONTENT_ADDRESSED; index++) {
    const plan = planPath(client, index, size - CONTENT_ADDRESSED - 1, plans, addressed, salt);
    plans.push(plan);
    const tree = join(trees, String(index));
    makeTree(tree, plan);
    publish(cache, plan, dumpNar(tree));
  }
  const top = plans.at(-1);
  if (top === undefined) throw new Error(`a closure of ${size} paths is too small`);
  await client.nix("copy", "--no-check-sigs", "--from", `file://${cache}`, top.path);
  return top.path;
}

function planPath(
  client: Client,
  index: number,
  last: number,
  earlier: Plan[],
  addressed: string,
  salt: string,
): Plan {
  const base = `${storeHash(`${salt} ${index}`)}-${NAMES[index % NAMES.length]}`;
  const path = `${client.storeDir}/${base}`;
  const references = new Set<string>();
  if (index === last) {
    for (const other of [...earlier.map((plan) => plan.path), addressed]) references.add(other);
  } else {
    // A web of references to earlier paths, deep and wide, the diamond included.
    for (const distance of [1, 2, 7]) {
      const other = earlier[index - distance];
      if (other !== undefined && index % (distance + 1) === 0) references.add(other.path);
    }
    if (index % 5 === 0) references.add(path);
  }
  const deriver =
    index % 3 === 0 ? `${storeHash(`${salt} ${index} drv`)}-${NAMES[index % NAMES.length]}.drv` : undefined;
  return { index, path, references: [...references].sort(), deriver };
}

/** One of seven shapes of store object; the references are written into it, as a real build would. */
function makeTree(at: string, plan: Plan): void {
  const body = `${plan.path}\n${plan.references.join("\n")}\n`;
  switch (plan.index % 7) {
    case 0:
      writeFileSync(at, body);
      break;
    case 1:
      writeFileSync(at, `#!/bin/sh\n# ${body}`, { mode: 0o755 });
      break;
    case 2:
      symlinkSync(plan.references[0] ?? "/dev/null", at);
      break;
    case 3:
      // The same NAR at several store paths: they share one object under nar/.
      writeFileSync(at, "the same everywhere\n");
      break;
    case 4:
      writeFileSync(at, "");
      break;
    case 5:
      // Does not compress: above the 1 MiB from which newer clients say Expect: 100-continue.
      writeFileSync(at, plan.index === 5 ? randomBytes(2 ** 21 + 1) : randomBytes(3));
      break;
    default:
      mkdirSync(join(at, "bin"), { recursive: true });
      mkdirSync(join(at, "share/empty"), { recursive: true });
      mkdirSync(join(at, "lib"));
      writeFileSync(join(at, "bin/run it"), `#!/bin/sh\necho ${plan.path}\n`);
      chmodSync(join(at, "bin/run it"), 0o755);
      writeFileSync(join(at, "share/references"), body);
      symlinkSync("../bin/run it", join(at, "lib/relative"));
      symlinkSync(plan.path, join(at, "lib/absolute"));
  }
}

/** Writes the narinfo and the NAR of a path into a file:// cache. */
function publish(cache: string, plan: Plan, nar: Buffer): void {
  const hash = createHash("sha256").update(nar).digest("hex");
  const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1);
  const lines = [
    `StorePath: ${plan.path}`,
    `URL: nar/${hash}.nar`,
    "Compression: none",
    `FileHash: sha256:${hash}`,
    `FileSize: ${nar.length}`,
    `NarHash: sha256:${hash}`,
    `NarSize: ${nar.length}`,
    `References: ${plan.references.map(baseName).join(" ")}`,
    ...(plan.deriver === undefined ? [] : [`Deriver: ${plan.deriver}`]),
  ];
  writeFileSync(join(cache, "nar", `${hash}.nar`), nar);
  writeFileSync(join(cache, `${baseName(plan.path).slice(0, 32)}.narinfo`), `${lines.join("\n")}\n`);
}

/** 32 characters of nix32, as a store path begins with. */
function storeHash(seed: string): string {
  const digest = createHash("sha256").update(seed).digest();
  return Array.from(digest, (byte) => "0123456789abcdfghijklmnpqrsvwxyz"[byte % 32]).join("");
}

/** How many paths `contentAddressed` makes. */
const CONTENT_ADDRESSED = 32;

/**
 * Content-addressed paths of every method: texts and derivations that refer to one another, files, a
 * directory, and a text that refers to them all, which is returned.
 */
async function contentAddressed(client: Client, salt: string): Promise<string> {
  const source = scratchDir();
  mkdirSync(join(source, "sub"), { recursive: true });
  writeFileSync(join(source, "sub/file"), salt);
  writeFileSync(join(source, "program"), `#!/bin/sh\n# ${salt}\n`, { mode: 0o755 });
  const expression = `
    let
      text = n: builtins.toFile "text+\${toString n}" (if n == 0 then "${salt}" else "after \${text (n - 1)}");
      drv = n: (derivation {
        name = "drv\${toString n}";
        system = "any";
        builder = "/bin/sh";
        args = if n == 0 then [ (text 3) ] else [ (drv (n - 1)) ];
      }).drvPath;
      file = n: builtins.path {
        name = "file=\${toString n}";
        path = ${source}/sub/file;
        recursive = false;
      };
      tree = builtins.path { name = "tree"; path = ${source}; };
      # The derivation's own file, without which Nix would want to build it.
      drvFile = builtins.unsafeDiscardOutputDependency (drv 9);
    in builtins.toFile "all" (toString ([ (text 9) drvFile tree ] ++ builtins.genList file 10))`;
  return client.nix("eval", "--impure", "--raw", "--expr", expression);
}
