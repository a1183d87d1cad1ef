// What a cache tells of a path while it verifies it.
import { setTimeout as wait } from "node:timers/promises";
import { expect } from "vitest";
import type { Server } from "./server.ts";

const DEADLINE_MS = 60_000;

interface Verification {
  readonly state: "waiting" | "verified" | "unverifiable" | "unknown";
  readonly reason?: string;
}

/** The text of a narinfo that is here. */
export async function narinfoOf(server: Server, hash: string): Promise<string | undefined> {
  const response = await fetch(`${server.url}/${hash}.narinfo`);
  const text = await response.text();
  return response.status === 200 ? text : undefined;
}

async function verificationOf(server: Server, hash: string): Promise<Verification | undefined> {
  const response = await fetch(`${server.url}/api/v1/paths/${hash}`);
  const body = (await response.json()) as { verification?: Verification };
  return response.status === 200 ? body.verification : undefined;
}

/** The first answer that is not to be waited for. */
export async function until<T>(ask: () => Promise<T>, isDone: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (isDone(answer) || Date.now() > deadline) return answer;
    await wait(200);
  }
}

/** Waits until the path is verified. */
export async function expectVerified(server: Server, hash: string): Promise<void> {
  const verification = await until(
    () => verificationOf(server, hash),
    (answer) => answer?.state !== "waiting",
  );
  expect(verification).toEqual({ state: "verified" });
}
