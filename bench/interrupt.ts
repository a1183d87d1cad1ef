// Ctrl-C ends a benchmark: what it has started is stopped, and the built catalogs go.

const controller = new AbortController();
const rejected = Promise.withResolvers<never>();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    controller.abort(new Error(signal));
    rejected.reject(controller.signal.reason);
  });
rejected.promise.catch(() => undefined);

/** Aborted at Ctrl-C. */
export const interrupt: AbortSignal = controller.signal;
/** Rejects at Ctrl-C. */
export const interrupted: Promise<never> = rejected.promise;
