// A stand-in of the part of Cloudflare's API that `wrangler deploy` uses: it notes what it is sent, keeps what that makes,
// and refuses what a test says. Paths and errors: https://developers.cloudflare.com/api/
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer, json } from "node:stream/consumers";

export const ACCOUNT = "0123456789abcdef0123456789abcdef";

export interface Refusal {
  readonly status: number;
  readonly code: number;
  readonly message: string;
}

/** What there is in the account. */
export interface Account {
  readonly buckets: Map<string, { readonly jurisdiction: string }>;
  readonly workers: Map<string, Worker>;
  readonly domains: string[];
  crons: unknown;
}

export interface Worker {
  /** Names. */
  readonly secrets: readonly string[];
  /** The last migration of its Durable Objects. */
  readonly migrationTag?: string;
  readonly upload?: Upload;
}

/** What was sent for a Worker. */
export interface Upload {
  readonly metadata: Record<string, unknown>;
  /** The names of its modules, and their types. */
  readonly modules: readonly (readonly [name: string, type: string])[];
}

export interface StandIn {
  readonly url: string;
  readonly account: Account;
  /** `METHOD path` of each request, in their order. */
  readonly requests: string[];
  /** Refuses requests whose `METHOD path` matches. */
  refuse(pattern: RegExp, refusal: Refusal): void;
  close(): void;
}

type Answer = { readonly result: unknown } | Refusal;

export async function startStandIn(): Promise<StandIn> {
  const account: Account = { buckets: new Map(), workers: new Map(), domains: [], crons: undefined };
  const requests: string[] = [];
  const refusals: (readonly [RegExp, Refusal])[] = [];
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "", "http://api").pathname.replace("/client/v4", "");
    const name = `${request.method} ${path.replace(`/accounts/${ACCOUNT}`, "")}`;
    requests.push(name);
    const refused = refusals.find(([pattern]) => pattern.test(name))?.[1];
    send(response, refused ?? (await answer(account, name, request)));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}/client/v4`,
    account,
    requests,
    refuse: (pattern, refusal) => refusals.push([pattern, refusal]),
    close: () => server.close(),
  };
}

function send(response: ServerResponse, answer: Answer): void {
  const isError = "status" in answer;
  response.writeHead(isError ? answer.status : 200, { "Content-Type": "application/json" });
  const errors = isError ? [{ code: answer.code, message: answer.message }] : [];
  const result = isError ? null : answer.result;
  response.end(JSON.stringify({ success: !isError, errors, messages: [], result }));
}

async function answer(account: Account, name: string, request: IncomingMessage): Promise<Answer> {
  for (const [pattern, handle] of ROUTES) {
    const match = pattern.exec(name);
    if (match !== null) return handle(account, match[1] ?? "", request);
  }
  return { status: 404, code: 7003, message: `the stand-in has no ${name}` };
}

type Handle = (account: Account, name: string, request: IncomingMessage) => Answer | Promise<Answer>;

const NO_WORKER: Refusal = {
  status: 404,
  code: 10007,
  message: "This Worker does not exist on your account.",
};

const ROUTES: readonly (readonly [RegExp, Handle])[] = [
  // Asked after a refusal.
  [/^GET \/user\/tokens\/verify$/, () => ({ result: { id: "token", status: "active" } })],
  [/^GET \/user$/, () => ({ result: { email: "me@example.org" } })],
  [/^GET \/(?:accounts|memberships)$/, () => ({ result: [] })],
  [
    /^GET \/workers\/services\/([^/]+)$/,
    ({ workers }, name) =>
      workers.has(name)
        ? {
            result: {
              id: name,
              default_environment: { environment: "production", script: scriptOf(workers.get(name)) },
            },
          }
        : { status: 404, code: 10090, message: "workers.api.error.service_not_found" },
  ],
  [
    /^GET \/workers\/scripts\/([^/]+)\/secrets$/,
    ({ workers }, name) => {
      const worker = workers.get(name);
      return worker === undefined
        ? NO_WORKER
        : { result: worker.secrets.map((secret) => ({ name: secret, type: "secret_text" })) };
    },
  ],
  [
    /^PUT \/workers\/scripts\/([^/]+)\/secrets$/,
    async ({ workers }, name, request) => {
      const worker = workers.get(name);
      if (worker === undefined) return NO_WORKER;
      const secret = (await json(request)) as { name: string };
      workers.set(name, { ...worker, secrets: [...worker.secrets, secret.name] });
      return { result: { name: secret.name, type: "secret_text" } };
    },
  ],
  [
    /^GET \/r2\/buckets\/([^/]+)$/,
    ({ buckets }, name) =>
      buckets.has(name)
        ? { result: { name, ...buckets.get(name) } }
        : { status: 404, code: 10006, message: "The specified bucket does not exist." },
  ],
  [
    /^GET \/r2\/buckets$/,
    ({ buckets }) => ({ result: { buckets: [...buckets.keys()].map((name) => ({ name })) } }),
  ],
  [
    /^POST \/r2\/buckets$/,
    async ({ buckets }, _, request) => {
      const { name } = (await json(request)) as { name: string };
      const jurisdiction = String(request.headers["cf-r2-jurisdiction"] ?? "default");
      buckets.set(name, { jurisdiction });
      return { result: { name, jurisdiction } };
    },
  ],
  [/^GET \/workers\/subdomain$/, () => ({ result: { subdomain: "acme" } })],
  [
    /^GET \/workers\/scripts\/([^/]+)\/settings$/,
    ({ workers }, name) => (workers.has(name) ? { result: { bindings: [] } } : NO_WORKER),
  ],
  [/^PUT \/workers\/scripts\/([^/]+)$/, upload],
  [/^POST \/workers\/scripts\/([^/]+)\/versions$/, upload],
  [/^(?:GET|POST) \/workers\/scripts\/([^/]+)\/deployments$/, () => ({ result: { deployments: [] } })],
  [/^(?:GET|PATCH) \/workers\/scripts\/([^/]+)\/script-settings$/, () => ({ result: {} })],
  [
    /^GET \/workers\/workers\/([^/]+)$/,
    (_, name) => ({ result: { id: name, name, subdomain: { enabled: false, previews_enabled: false } } }),
  ],
  [
    /^(?:GET|POST) \/workers\/scripts\/([^/]+)\/subdomain$/,
    () => ({ result: { enabled: false, previews_enabled: false } }),
  ],
  [
    /^PUT \/workers\/scripts\/([^/]+)\/schedules$/,
    async (account, _, request) => {
      account.crons = await json(request);
      return { result: {} };
    },
  ],
  [
    /^POST \/workers\/scripts\/([^/]+)\/domains\/changeset$/,
    () => ({ result: { added: [], removed: [], updated: [], conflicting: [] } }),
  ],
  [
    /^PUT \/workers\/scripts\/([^/]+)\/domains\/records$/,
    async ({ domains }, _, request) => {
      const { origins } = (await json(request)) as { origins: { hostname: string }[] };
      domains.splice(0, domains.length, ...origins.map(({ hostname }) => hostname));
      return { result: {} };
    },
  ],
];

function scriptOf(worker: Worker | undefined) {
  return { last_deployed_from: "wrangler", migration_tag: worker?.migrationTag };
}

async function upload(
  { workers, buckets }: Account,
  name: string,
  request: IncomingMessage,
): Promise<Answer> {
  const form = await new Response(await buffer(request), {
    headers: { "Content-Type": request.headers["content-type"] ?? "" },
  }).formData();
  const metadata = JSON.parse(String(form.get("metadata")));
  const modules = [...form].flatMap(([field, value]) =>
    field === "metadata" || typeof value === "string" ? [] : [[value.name, value.type] as const],
  );
  const bindings: readonly { bucket_name?: string }[] = metadata.bindings;
  const missing = bindings.find(({ bucket_name: bucket }) => bucket !== undefined && !buckets.has(bucket));
  if (missing !== undefined) {
    return { status: 400, code: 10085, message: `R2 bucket '${missing.bucket_name}' not found.` };
  }
  const worker = workers.get(name);
  workers.set(name, {
    secrets: worker?.secrets ?? [],
    migrationTag: metadata.migrations?.new_tag ?? worker?.migrationTag,
    upload: { metadata, modules },
  });
  return { result: { id: "version", startup_time_ms: 1, resources: { script: { etag: "etag" } } } };
}
