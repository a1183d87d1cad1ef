/** A cache in which the cost of actions is counted, with the alarms that follow. Date must be faked: alarms set it. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import type { Env } from "../../src/env.ts";
import type { Deed } from "../../src/page/prices.ts";
import { ADMIN_TOKEN, cacheWith, type TestCache } from "../support/cache.ts";
import { HOUR_MS } from "../support/runs.ts";
import { counting } from "./counting.ts";

export interface Scene {
  readonly cache: TestCache;
  /** The cost of what is done, and of the alarms until no further one is due within the hour. */
  readonly count: (run: (cache: TestCache) => Promise<unknown>) => Promise<Deed>;
  /** Lets so many milliseconds pass, with the alarms that are due in them. */
  readonly pass: (ms: number) => Promise<void>;
}

export function sceneWith(variables: Partial<Env> = {}): Scene {
  const counter = counting(env.BUCKET);
  let requests = 0;
  let alarms = 0;
  const plain = cacheWith({ BUCKET: counter.bucket, ADMIN_TOKEN, ...variables });
  const cache = new Proxy(plain, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== "function") return value;
      return (...parameters: unknown[]) => {
        requests++;
        return Reflect.apply(value, target, parameters);
      };
    },
  });
  const alarmsUntil = async (time: number) => {
    for (let due = counter.due(); due !== null && due <= time; due = counter.due()) {
      vi.setSystemTime(Math.max(due, Date.now()));
      alarms++;
      await counter.alarm(plain);
    }
  };
  const pass = async (ms: number) => {
    const time = Date.now() + ms;
    await alarmsUntil(time);
    vi.setSystemTime(Math.max(time, Date.now()));
  };
  const count = async (run: (cache: TestCache) => Promise<unknown>) => {
    requests = 0;
    alarms = 0;
    const { cost } = await counter.counted(plain, async () => {
      await run(cache);
      await alarmsUntil(Date.now() + HOUR_MS);
    });
    return { ...cost, requests, calls: cost.calls + alarms };
  };
  return { cache, count, pass };
}

/** A part of a cost, rounded to hundredths. */
export function each(cost: Deed, parts: number, less?: Deed): Deed {
  const part = (item: keyof Deed) => Math.round((100 * (cost[item] - (less?.[item] ?? 0))) / parts) / 100;
  return {
    ...{ requests: part("requests"), classA: part("classA"), classB: part("classB") },
    ...{ calls: part("calls"), rowsRead: part("rowsRead"), rowsWritten: part("rowsWritten") },
  };
}

export function times(cost: Deed, count: number): Deed {
  return each(cost, 1 / count);
}
