/**
 * Lets the runtime's clock advance before each test. The runtime reads the clock only when it waits for real I/O, and
 * most tests have none. In a file that takes longer than ten seconds, the first real request would let the clock jump,
 * and the runtime would evict every Durable Object and bucket as idle for ten seconds. `reset()` deletes only those in
 * memory: the others' content would be there in the next test.
 */
import { beforeEach } from "vitest";

// Not setTimeout, which tests fake.
beforeEach(() => scheduler.wait(1));
