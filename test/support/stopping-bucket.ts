/** A bucket whose operations wait for their turn: before they happen, and once more before their answers arrive. */
import { r2Error } from "./bucket.ts";
import type { Fault } from "./schedule.ts";
import type { Process, Scheduler } from "./scheduler.ts";

/** The bucket as a process sees it. `changed` is called when a change of a key has happened, before its answer. */
export function stoppingBucket(
  bucket: R2Bucket,
  owner: Process,
  turns: Scheduler,
  changed: (key: string) => Promise<void>,
): R2Bucket {
  const perform = <T>(label: string, keys: readonly string[], run: () => Promise<T>): Promise<T> => {
    const change = async () => {
      const answer = await run();
      for (const key of keys) await changed(key);
      return answer;
    };
    return new Promise((resolve, reject) => {
      // What it did besides the bucket, such as hashing, may end after its death.
      if (!owner.isAlive) return;
      const isChange = keys.length > 0;
      const happen = async (fault: Fault | undefined) => {
        if (fault === "fail") return reject(r2Error(label, "We encountered an internal error.", 10001));
        if (fault === "throttle" && isChange) return reject(r2Error(label, "Reduce your rate.", 10058));
        if (fault === "late" && isChange) {
          turns.addLate(label, change);
          return reject(new Error("Network connection lost."));
        }
        let deliver: () => void;
        try {
          const answer = await (isChange ? change() : run());
          deliver = () => resolve(answer);
        } catch (error) {
          deliver = () => reject(error);
        }
        const answer = (fault: Fault | undefined) =>
          fault === undefined ? deliver() : reject(new Error("Network connection lost."));
        if (fault === "lose") answer(fault);
        else turns.add({ owner, label: `answer of ${label}`, isChange, go: answer });
      };
      turns.add({ owner, label, isChange, ...(isChange && { change }), go: happen });
    });
  };
  return {
    head: (key: string) => perform(`head ${key}`, [], () => bucket.head(key)),
    get: (key: string, options?: R2GetOptions) =>
      perform(`get ${key}`, [], () => bucket.get(key, options ?? {})),
    put: (key: string, body: string, options?: R2PutOptions) =>
      perform(`put ${key}`, [key], () => bucket.put(key, body, options)),
    delete: (keys: string | string[]) => perform(`delete ${keys}`, [keys].flat(), () => bucket.delete(keys)),
    list: (options?: R2ListOptions) => perform("list", [], () => bucket.list(options)),
  } as unknown as R2Bucket;
}
