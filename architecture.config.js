// The architecture: rooms of src/ from the ground up, as the configuration of dependency-cruiser. `npm run check` runs
// it. A file imports from its own room and from the layers below it; `import type` counts as much as `import`.

/** A layer is one room, or several that do not know each other. Paths are regular expressions. */
const LAYERS = [
  // Formats of Nix, pure and without I/O. HTTP as the RFCs and S3 define it, without a word of Nix. Words.
  { nix: "nix/", http: "http/", text: "text/" },
  // Permissions on caches, the patterns that name caches and claims, and the form of tokens.
  { grants: "auth/(grants|jwt|pattern|subject)\\.ts" },
  // What the Worker and the catalog's Durable Object say to each other: types.
  { contract: "contract/" },
  // Bindings and variables: types.
  { env: "env\\.ts" },
  // Objects in the bucket: their kinds, keys, owners and checksums; R2's failures.
  { bucket: "bucket/", verify: "verify/" },
  // The variables, parsed.
  { config: "config/" },
  // Asking other caches for paths that are not here.
  { upstream: "upstream/" },
  // The three kinds of credential that are more than a secret.
  { oidc: "auth/oidc/", sigv4: "auth/sigv4/", tokens: "auth/tokens/" },
  // Who sends a request, and whether it may go on.
  { gate: "auth/gate/" },
  // The catalog: times, locks, meter and schema, which all of its rooms use.
  { "catalog-ground": "catalog/(?!catalog\\.ts)[^/]+\\.ts" },
  // One file for each table, with its SQL.
  { rows: "catalog/rows/" },
  // What is known of NARs' contents, and reading them.
  { facts: "catalog/facts/" },
  { publish: "catalog/publish/" },
  { remove: "catalog/remove/" },
  { pins: "catalog/pins/" },
  { ask: "catalog/ask/" },
  // What follows from a NAR's content for the paths that have it.
  { "catalog-verify": "catalog/verify/" },
  // The engine of stepwise work, then the kinds of that work.
  { runs: "catalog/runs/" },
  { migrate: "catalog/migrate/" },
  { scan: "catalog/scan/" },
  { reindex: "catalog/reindex/" },
  {
    check: "catalog/check/",
    collect: "catalog/collect/",
    resign: "catalog/resign/",
    deletion: "catalog/deletion/",
    mirror: "catalog/mirror/",
  },
  // What an operator must know of all of them.
  { "catalog-health": "catalog/health/" },
  // The Durable Object, which only hands over.
  { catalog: "catalog/catalog\\.ts" },
  // How the Worker calls it, refusals as HTTP, and what a handler gets.
  { "catalog-refusals": "catalog-refusals\\.ts" },
  { "catalog-client": "catalog-client\\.ts" },
  { "recent-nars": "recent-nars\\.ts" },
  { context: "context\\.ts" },
  { "valid-config": "valid-config\\.ts" },
  // Publishing what clients send, whatever the protocol.
  { "worker-publish": "publish/" },
  // The handlers, by protocol: Nix's, S3's, and our own.
  { cache: "cache/", s3: "s3/", api: "api/" },
  // Pages for people.
  { page: "page/" },
  // The route table, scripts of other sites, and counting requests.
  { routes: "routes\\.ts", "cross-origin": "cross-origin\\.ts", traffic: "traffic\\.ts" },
  { index: "index\\.ts" },
  // Programs for Node. Below, what they see of the Worker.
  { deploy: "deploy/" },
  { cli: "cli/" },
  // The client: its output and settings, HTTP and Nix's store, pushing, and its commands.
  { "client-ground": "client/(ground/|version\\.ts)" },
  { "client-command": "client/command/" },
  { "client-settings": "client/settings/" },
  { "client-http": "client/http/", "client-store": "client/store/" },
  { "client-push": "client/push/", "client-configure": "client/configure/" },
  { "client-hook": "client/hook/" },
  { "client-doctor": "client/doctor/" },
  { "client-doctor": "client/doctor/", "client-import": "client/import/" },
  { "client-commands": "client/commands/" },
  { client: "client/(commands|main)\\.ts" },
  // GitHub's action.
  { action: "action/" },
];

/** Rooms that see less than all layers below them. */
const ONLY = {
  verify: ["nix", "http"],
  deploy: ["nix", "contract", "env", "config"],
  cli: ["nix", "deploy"],
  ...client([
    "ground",
    "command",
    "settings",
    "http",
    "store",
    "push",
    "configure",
    "doctor",
    "hook",
    "import",
    "commands",
  ]),
};
// The action sees what the client's own program sees.
ONLY.action = ONLY.client;

/** Each room of the client sees those before it and, of the Worker, formats and the API's types. */
function client(rooms) {
  const ofWorker = ["nix", "text", "verify", "contract", "grants"];
  const names = rooms.map((room) => `client-${room}`);
  return Object.fromEntries(
    [...names, "client"].map((name, index) => [name, [...ofWorker, ...names.slice(0, index)]]),
  );
}

const paths = LAYERS.map((layer) => Object.values(layer));

function rulesOf(room, path, level) {
  const visible =
    ONLY[room]?.map((name) => LAYERS.flatMap((layer) => layer[name] ?? [])) ?? paths.slice(0, level);
  return {
    name: `${room}-imports-only-from-below`,
    severity: "error",
    from: { path: anyOf([path]) },
    to: { path: "^src/", pathNot: anyOf([path, ...visible.flat()]) },
  };
}

function anyOf(paths) {
  return `^src/(${paths.join("|")})`;
}

export default {
  forbidden: [
    ...LAYERS.flatMap((layer, level) =>
      Object.entries(layer).map(([room, path]) => rulesOf(room, path, level)),
    ),
    { name: "no-circle", severity: "error", from: {}, to: { circular: true } },
    {
      name: "every-file-is-in-a-room",
      severity: "error",
      from: { path: "^src/", pathNot: anyOf(paths.flat()) },
      to: {},
    },
  ],
  options: {
    // swc reads TypeScript and keeps the imports of types.
    parser: "swc",
    enhancedResolveOptions: { extensions: [".ts"] },
    doNotFollow: { path: "node_modules" },
  },
};
