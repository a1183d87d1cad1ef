/**
 * The real bucket, watched: every operation is counted, and a test may fail, delay or stop any of them. Nothing is
 * simulated: all other operations happen in the local R2.
 */

/**
 * R2's billing classes (https://developers.cloudflare.com/r2/pricing/). Reading the body of a `get` costs nothing
 * more.
 */
const CLASS = {
  head: "B",
  get: "B",
  put: "A",
  list: "A",
  createMultipartUpload: "A",
  uploadPart: "A",
  complete: "A",
  abort: "free",
  delete: "free",
  arrayBuffer: "free",
  bytes: "free",
  text: "free",
  json: "free",
  blob: "free",
} as const;

export type OperationName = keyof typeof CLASS;

/** One call of the bucket, of a multipart upload, or of a reading method of an object. */
export interface Operation {
  /** Counted from 0, in the order in which they began. */
  readonly number: number;
  readonly name: OperationName;
  /** Empty for `list`; of several keys of a `delete` the first. */
  readonly key: string;
  /** Whether a `get` asks for a part of the object only. */
  readonly isRanged: boolean;
}

/** Called at the operation; may throw, wait, or never come back (a crash). */
export type Hook = (operation: Operation) => unknown;

export interface Interference {
  /** Before the operation: if it throws, the operation does not happen. */
  readonly before?: Hook;
  /** After the operation: if it throws, the operation has happened, but its response is lost. */
  readonly after?: (operation: Operation, answer: unknown) => unknown;
  /** Instead of the operation: returns the response, and decides whether and when the operation happens. */
  readonly instead?: (operation: Operation, run: () => unknown) => unknown;
  /** For the body of an object that the operation returned. */
  readonly body?: (operation: Operation, object: R2ObjectBody) => ReadableStream;
}

export interface WatchedBucket {
  /** Put it into `env` instead of the real one. */
  readonly bucket: R2Bucket;
  /** All operations so far. */
  readonly operations: readonly Operation[];
  /** Billed operations so far: `{ A: 1, B: 2 }`. */
  readonly billed: () => { A: number; B: number };
}

export function watch(bucket: R2Bucket, interference: Interference = {}): WatchedBucket {
  const operations: Operation[] = [];

  async function perform(
    name: OperationName,
    key: string,
    isRanged: boolean,
    run: () => unknown,
  ): Promise<unknown> {
    const operation = { number: operations.length, name, key, isRanged };
    operations.push(operation);
    await interference.before?.(operation);
    const result = await (interference.instead ?? perfectly)(operation, run);
    await interference.after?.(operation, result);
    return isObject(result) ? watched(result, key, operation) : result;
  }

  function watched<T extends object>(target: T, ownKey: string, origin?: Operation): T {
    let body: ReadableStream | undefined;
    return new Proxy(target, {
      get(_, property) {
        if (property === "body" && origin !== undefined && interference.body !== undefined) {
          body ??= interference.body(origin, target as unknown as R2ObjectBody);
          return body;
        }
        // Native getters and methods want the native object as `this`.
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        return (...parameters: unknown[]) => {
          const run = (): unknown => Reflect.apply(value, target, parameters);
          if (isOperation(property)) {
            return perform(property, ownKey || keyOf(parameters), isRanged(parameters), run);
          }
          const result = run();
          return property === "resumeMultipartUpload" && isObject(result)
            ? watched(result, keyOf(parameters))
            : result;
        };
      },
    });
  }

  return {
    bucket: watched(bucket, ""),
    operations,
    billed: () => ({
      A: operations.filter(({ name }) => CLASS[name] === "A").length,
      B: operations.filter(({ name }) => CLASS[name] === "B").length,
    }),
  };
}

const perfectly: NonNullable<Interference["instead"]> = (_, run) => run();

/** An error as the binding throws it: the code only at the end of the message. */
export function r2Error(name: string, message: string, code: number): Error {
  return new Error(`${name}: ${message} (${code})`);
}

/** An outage: every operation for which `when` holds fails and does not happen. */
export function failing(when: (operation: Operation) => boolean): Interference {
  return {
    before: (operation) => {
      if (when(operation)) {
        throw r2Error(operation.name, "We encountered an internal error. Please try again.", 10001);
      }
    },
  };
}

/** A broken connection: operations for which `when` holds do not happen, and fail without a code from the bucket. */
export function losingRequests(when: (operation: Operation) => boolean): Interference {
  return {
    before: (operation) => {
      if (when(operation)) throw new Error("Network connection lost.");
    },
  };
}

/** A broken connection: every operation for which `when` holds happens, but its response is lost. */
export function losingAnswers(when: (operation: Operation) => boolean): Interference {
  return {
    after: async (operation, answer) => {
      if (!when(operation)) return;
      // The runtime warns of an unread body.
      if (isObject(answer) && "arrayBuffer" in answer) await (answer as R2ObjectBody).arrayBuffer();
      throw new Error("Network connection lost.");
    },
  };
}

/** A slow bucket: every operation for which `when` holds takes this much longer. */
export function delaying(when: (operation: Operation) => boolean, ms: number): Interference {
  const wait = (operation: Operation) => (when(operation) ? scheduler.wait(ms) : undefined);
  return { before: wait, after: wait };
}

/** A late write: it fails for its caller, but happens some time later. */
export function answeringLate(
  when: (operation: Operation) => boolean,
  ms: number,
): Interference & { readonly settled: () => Promise<unknown> } {
  const late: Promise<unknown>[] = [];
  return {
    instead: (operation, run) => {
      if (!when(operation) || CLASS[operation.name] === "B") return run();
      // Ignore the result: its caller is gone.
      late.push(
        scheduler
          .wait(ms)
          .then(run)
          .catch(() => undefined),
      );
      throw new Error("Network connection lost.");
    },
    settled: () => Promise.all(late),
  };
}

/** A connection that breaks in the middle of a body: half of it comes, then an error, however it is read. */
export function truncating(when: (operation: Operation) => boolean): Interference {
  const broken = () => new Error("Network connection lost.");
  return {
    before: (operation) => {
      if (CLASS[operation.name] === "free" && isReading(operation.name) && when(operation)) throw broken();
    },
    body: (operation, object) => {
      if (!when(operation) || object.size < 2) return object.body;
      const length =
        "range" in object && object.range && "length" in object.range ? object.range.length : undefined;
      const { readable, writable } = new FixedLengthStream(length ?? object.size);
      const cut = async () => {
        const writer = writable.getWriter();
        writer.closed.catch(() => undefined);
        const whole = new Uint8Array(await object.arrayBuffer());
        await writer.write(whole.slice(0, whole.length / 2));
        await writer.abort(broken());
      };
      // The reader fails, too, and reports the error.
      cut().catch(() => undefined);
      return readable;
    },
  };
}

const READING = ["arrayBuffer", "bytes", "text", "json", "blob"] as const;

function isReading(name: OperationName): boolean {
  return (READING as readonly string[]).includes(name);
}

/** Runs `action` once, before the first operation for which `when` holds: a concurrent change. */
export function meanwhile(when: (operation: Operation) => boolean, action: () => unknown): Interference {
  let isDone = false;
  return {
    before: async (operation) => {
      if (isDone || !when(operation)) return;
      isDone = true;
      await action();
    },
  };
}

/** A bucket whose listing has at most `limit` entries a page, so that a few objects make many pages. */
export function inSmallPages(bucket: R2Bucket, limit: number): R2Bucket {
  return new Proxy(bucket, {
    get: (target, property) => {
      if (property === "list") return (options: R2ListOptions) => target.list({ ...options, limit });
      const method: unknown = Reflect.get(target, property, target);
      return typeof method === "function" ? method.bind(target) : method;
    },
  });
}

export const isPut = ({ name }: Operation): boolean => name === "put";
export const isDelete = ({ name }: Operation): boolean => name === "delete";
/** The inspection of a NAR by a publication: its metadata and its first bytes. */
export const isInspection = ({ name, isRanged }: Operation): boolean => name === "get" && isRanged;

function isOperation(property: string | symbol): property is OperationName {
  return typeof property === "string" && Object.hasOwn(CLASS, property);
}

function keyOf([first]: unknown[]): string {
  const key = Array.isArray(first) ? first[0] : first;
  return typeof key === "string" ? key : "";
}

function isRanged([, options]: unknown[]): boolean {
  return typeof options === "object" && options !== null && "range" in options;
}

/** An object or upload, to be watched in its turn; plain answers such as lists are left alone. */
function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && "key" in value;
}
