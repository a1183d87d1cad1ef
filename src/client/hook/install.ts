// `hook install`: the files that make a machine with a Nix daemon and systemd push what it builds.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "../ground/failure.ts";
import { hookScript, quoted } from "./script.ts";

export interface Installation {
  readonly client: readonly string[];
  readonly url: string;
  /** Holds the token and nothing else. */
  readonly tokenFile: string;
  readonly exclude: readonly string[];
  /** The directory of nix.conf. */
  readonly nixConfDir: string;
  /** The PATH of the service, on which Nix's programs must be. */
  readonly path: string;
}

export interface PlannedFile {
  readonly file: string;
  readonly mode: number;
  readonly text: string;
}

export const HOOK_DIR = "/var/lib/nix-cache-hook";
const SOCKET = "/run/nix-cache-hook.socket";
const UNITS = "/etc/systemd/system";
const UNIT = "nix-cache-hook";

/** The lines to run after the files are there. */
export const AFTER_INSTALL = [
  `systemctl daemon-reload`,
  `systemctl enable --now ${UNIT}.socket ${UNIT}.service`,
  `systemctl restart nix-daemon`,
];

/** The files as they are to be; nix.conf keeps all that it has. Throws {@link Failure} where it names another hook. */
export function planned(installation: Installation): PlannedFile[] {
  const { client, nixConfDir } = installation;
  const script = join(nixConfDir, "nix-cache-hook");
  const conf = join(nixConfDir, "nix.conf");
  return [
    { file: script, mode: 0o755, text: hookScript({ client, dir: HOOK_DIR, socket: SOCKET }) },
    { file: join(UNITS, `${UNIT}.socket`), mode: 0o644, text: socketUnit() },
    { file: join(UNITS, `${UNIT}.service`), mode: 0o644, text: serviceUnit(installation) },
    {
      file: conf,
      mode: 0o644,
      text: withHook(existsSync(conf) ? readFileSync(conf, "utf8") : "", script, conf),
    },
  ];
}

/** Writes the files that differ, those of nix.conf last, and returns their names. */
export function write(files: readonly PlannedFile[]): string[] {
  const changed = files.filter(({ file, text }) => !existsSync(file) || readFileSync(file, "utf8") !== text);
  for (const { file, mode, text } of changed) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode });
    chmodSync(file, mode);
  }
  return changed.map(({ file }) => file);
}

/** Adds the hook to the text of a nix.conf. */
export function withHook(text: string, script: string, conf: string): string {
  const [, other] = /^[ \t]*post-build-hook[ \t]*=[ \t]*(.*?)[ \t]*$/m.exec(text) ?? [];
  if (other === script) return text;
  if (other !== undefined && other !== "") {
    throw new Failure("failed", `${conf} names another post-build-hook, ${other}: call ${script} from it`);
  }
  const separator = text === "" || text.endsWith("\n") ? "" : "\n";
  return `${text}${separator}post-build-hook = ${script}\n`;
}

function socketUnit(): string {
  return `# Made by nix-cache hook install.
[Unit]
Description=Wakes the service that pushes to nix-cache

[Socket]
ListenStream=${SOCKET}
SocketMode=0600

[Install]
WantedBy=sockets.target
`;
}

function serviceUnit({ client, url, tokenFile, exclude, path }: Installation): string {
  const command = [...client, "hook", "serve", "--dir", HOOK_DIR, "--idle-exit", "60"];
  for (const expression of exclude) command.push("--exclude", expression);
  return `# Made by nix-cache hook install.
[Unit]
Description=Pushes what was built here to nix-cache
Requires=${UNIT}.socket
Wants=network-online.target
After=network-online.target ${UNIT}.socket

[Service]
ExecStart=${command.map(forSystemd).join(" ")}
Environment=${forSystemd(`PATH=${path}`)}
Environment=${forSystemd(`NIX_CACHE_URL=${url}`)}
Environment=NIX_CACHE_TOKEN_FILE=%d/token
Environment=HOME=${HOOK_DIR}
LoadCredential=token:${tokenFile}
StateDirectory=${UNIT}
StateDirectoryMode=0700
Restart=on-failure
RestartSec=30
# SIGTERM lets it push what is noted; the rest waits in the directory.
TimeoutStopSec=120
KillMode=mixed
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=true
PrivateDevices=true
ProtectKernelTunables=true
ProtectKernelModules=true
ProtectControlGroups=true
NoNewPrivileges=true
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true

[Install]
WantedBy=multi-user.target
`;
}

/** A word of a unit file: quoted, without systemd's specifiers and variables. */
function forSystemd(word: string): string {
  const escaped = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return quoted(escaped) === escaped ? escaped : `"${escaped.replace(/["\\]/g, "\\$&")}"`;
}
