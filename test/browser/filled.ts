// A cache filled by real Nix: a library, an application that refers to it, and documentation; their files, logs and a
// pin. Names and texts in it try to be HTML.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, emptyStore, newClient, scratchDir } from "../real-nix/client.ts";
import { newKey } from "../real-nix/keys.ts";
import { type Server, startServer } from "../real-nix/server.ts";

export const PUSH_TOKEN = "push-token-of-the-browser-tests";
export const PULL_TOKEN = "pull-token-of-the-browser-tests";
export const ADMIN_TOKEN = "admin-token-of-the-browser-tests";

/** What runs a script or loads something, wherever it is taken for HTML. */
export const HOSTILE = `<img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`;
/** The same as the name of a file, which has no slash. */
export const HOSTILE_NAME = `<img src=x onerror="document.title='pwned'">&amp;'%2e%00 ü?#.txt`;

const PICTURE =
  "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAGUlEQVR4nGM0Ns5mIAUwkaR6VMOohgFqAABjDQDv5vA3eQAAAABJRU5ErkJggg==";

const BUILDS = `
let
  build = name: attributes: command: derivation ({
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    PATH = "/usr/bin:/bin";
    args = [ "-c" command ];
  } // attributes);
in rec {
  library = build "libgreeting-2.4.1" { } ''
    mkdir -p $out/lib $out/include
    echo 'char *greeting(void);' > $out/include/greeting.h
    head -c 300000 /dev/zero > $out/lib/libgreeting.so
  '';
  app = build "greeter-1.0.3" { inherit hostile hostileName; } ''
    printf '\\033[1m\\033[34m==>\\033[0m unpacking sources\\n'
    printf 'checking for gcc... \\033[32myes\\033[0m\\n'
    printf '\\033[35mwarning:\\033[0m \\033[1munused variable\\033[0m [-Wunused-variable]\\n'
    printf '%s\\n' "$hostile"
    for number in 1 2 3 4 5 6 7 8 9 10 11 12; do printf '[%3d%%] Building C object src/part-%d.c.o\\n' $((number * 8)) $number; done
    printf '\\033[38;2;255;80;80m3 tests failed earlier\\033[0m, \\033[7m all pass now \\033[0m\\n'
    mkdir -p $out/bin $out/share/doc "$out/share/odd names"
    printf '#!/bin/sh\\necho hello from %s\\n' \${library} > $out/bin/greeter
    chmod +x $out/bin/greeter
    ln -s greeter $out/bin/hello
    ln -s \${library}/lib $out/lib
    ln -s ../../nowhere $out/share/broken
    printf '%s\\n' "$hostile" > $out/share/doc/README.md
    printf '%s' "$hostile" > "$out/share/odd names/$hostileName"
    printf '\\000\\001\\002' > $out/share/binary
    echo '${PICTURE}' | base64 -d > $out/share/picture.png
    printf '<svg xmlns="http://www.w3.org/2000/svg"><script>document.title=1</script><rect width="9" height="9"/></svg>' > $out/share/drawing.svg
  '';
  manual = build "greeter-manual-1.0.3" { inherit hostile; } ''
    mkdir -p $out/style $out/chapter
    printf '<!doctype html><title>Manual</title><link rel=stylesheet href="style/manual.css"><h1>Manual</h1><p class=lead>Text</p><img id=own src="picture.png" alt="a picture"><img id=foreign src="../../../nix-cache-info" alt=""><script>document.title="pwned"</script><p><a href="chapter/">A chapter</a></p><form action="/api/v1/gc" method=post><button>Send</button></form>' > $out/index.html
    printf 'h1 { color: rgb(1, 2, 3) }' > $out/style/manual.css
    printf '<!doctype html><title>Chapter</title><link rel=stylesheet href="../style/manual.css"><h1>Chapter</h1>' > $out/chapter/index.html
    echo '${PICTURE}' | base64 -d > $out/picture.png
    printf '%s' "$hostile" > $out/text.txt
  '';
  hostile = builtins.fromJSON (builtins.readFile ./hostile.json);
  hostileName = builtins.fromJSON (builtins.readFile ./hostile-name.json);
}`;

export interface Filled {
  readonly server: Server;
  readonly key: string;
  readonly paths: Readonly<Record<"library" | "app" | "manual", string>>;
  /** The base name of the application's derivation. */
  readonly deriver: string;
}

/** The hash part of a store path. */
export function hashOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).slice(0, 32);
}

/** `caches`: of the names whose caches are filled, too. */
export async function startFilled(variables: Readonly<Record<string, string>> = {}): Promise<Filled> {
  const physical = scratchDir();
  const file = join(physical, "default.nix");
  writeFileSync(file, BUILDS);
  writeFileSync(join(physical, "hostile.json"), JSON.stringify(HOSTILE));
  writeFileSync(join(physical, "hostile-name.json"), JSON.stringify(HOSTILE_NAME));
  const key = newKey("cache.example.org-1");
  const server = await startServer({
    ...{ PUSH_TOKEN, ADMIN_TOKEN, SIGNING_KEY: key.secret, STORE_DIR: `${physical}/store` },
    ...variables,
  });
  const client = newClient({ physical, token: PUSH_TOKEN });
  const [library, app, manual] = await Promise.all([
    build(client, file, "library"),
    build(client, file, "app"),
    build(client, file, "manual"),
  ]);
  await client.nix("copy", "--to", `${server.url}?compression=xz&write-nar-listing=true`, library);
  // Without a listing: the Worker makes it.
  await client.nix("copy", "--to", `${server.url}?compression=zstd`, app);
  await client.nix("copy", "--to", `${server.url}?compression=none&write-nar-listing=true`, manual);
  await client.nix("store", "copy-log", "--to", server.url, "-f", file, "app");
  const [{ deriver }] = JSON.parse(await client.nix("path-info", "--json", app)) as [{ deriver: string }];
  await send(server, "PUT", "/api/v1/pins/production", { store_path: app });
  await send(server, "POST", "/api/v1/gc", { dry_run: true });
  await send(server, "POST", "/api/v1/check", {});
  emptyStore(physical);
  return {
    server,
    key: key.public,
    paths: { library, app, manual },
    deriver: deriver.slice(deriver.lastIndexOf("/") + 1),
  };
}

async function build(client: Client, file: string, attribute: string): Promise<string> {
  const json = await client.nix("build", "--no-link", "--json", "-f", file, attribute);
  const [result] = JSON.parse(json) as { outputs: { out: string } }[];
  if (result === undefined) throw new Error(`nix build said ${json}`);
  return result.outputs.out;
}

async function send(server: Server, method: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
}
