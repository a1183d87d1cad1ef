/** Locks: operations of one name come one after the other, in their order. */
import { describe, expect, it } from "vitest";
import { Locks } from "../../src/catalog/locks.ts";

/** An operation that a test ends. */
function operation(log: string[], name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const run = async (): Promise<string> => {
    log.push(`${name} begins`);
    await promise;
    log.push(`${name} ends`);
    return name;
  };
  return { run, end: resolve, fail: reject };
}

/** Lets everything happen that waits for nothing. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await null;
}

describe("operations of one name", () => {
  it("run one after the other, in their order", async () => {
    const [locks, log] = [new Locks(), [] as string[]];
    const [a, b, c] = [operation(log, "a"), operation(log, "b"), operation(log, "c")];
    const results = [a, b, c].map(({ run }) => locks.run("x", run));
    c.end();
    b.end();
    await quiet();
    expect(log).toEqual(["a begins"]);
    a.end();
    expect(await Promise.all(results)).toEqual(["a", "b", "c"]);
    expect(log).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  });

  it("begin at once where the name is free", () => {
    const log: string[] = [];
    void new Locks().run("x", operation(log, "a").run);
    expect(log).toEqual(["a begins"]);
  });

  it("run although an earlier one failed, and the failure is its caller's alone", async () => {
    const [locks, log] = [new Locks(), [] as string[]];
    const [a, b] = [operation(log, "a"), operation(log, "b")];
    const [first, second] = [locks.run("x", a.run), locks.run("x", b.run)];
    a.fail(new Error("refused"));
    b.end();
    await expect(first).rejects.toThrow("refused");
    expect(await second).toBe("b");
    expect(locks.isHeld("x")).toBe(false);
  });

  it("do not wait for those of another", async () => {
    const [locks, log] = [new Locks(), [] as string[]];
    for (const name of ["x", "y"]) void locks.run(name, operation(log, name).run);
    expect(log).toEqual(["x begins", "y begins"]);
  });
});

describe("a name", () => {
  it("is held until the last operation that waits for it has ended", async () => {
    const [locks, log] = [new Locks(), [] as string[]];
    const [a, b] = [operation(log, "a"), operation(log, "b")];
    expect(locks.isHeld("x")).toBe(false);
    const both = [a, b].map(({ run }) => locks.run("x", run));
    let isSettled = false;
    const settled = locks.settled("x").then(() => {
      isSettled = true;
    });
    a.end();
    await quiet();
    expect([locks.isHeld("x"), isSettled]).toEqual([true, false]);
    b.end();
    await Promise.all([...both, settled]);
    expect(locks.isHeld("x")).toBe(false);
  });

  it("that is free is settled at once", async () => {
    await new Locks().settled("x");
  });
});

describe("an operation on several names", () => {
  it("begins at once where all are free, and holds them all", async () => {
    const [locks, log] = [new Locks(), [] as string[]];
    const [all, later] = [operation(log, "all"), operation(log, "later")];
    const done = locks.runAll(["x", "y"], all.run);
    expect(log).toEqual(["all begins"]);
    expect([locks.isHeld("x"), locks.isHeld("y")]).toEqual([true, true]);
    const next = locks.run("y", later.run);
    later.end();
    await quiet();
    expect(log).toEqual(["all begins"]);
    all.end();
    expect([await done, await next]).toEqual(["all", "later"]);
    await quiet();
    expect([locks.isHeld("x"), locks.isHeld("y")]).toEqual([false, false]);
  });

  it("waits for each, and holds none meanwhile", async () => {
    const [locks, log] = [new Locks(), [] as string[]];
    const [onX, onY, all] = [operation(log, "x"), operation(log, "y"), operation(log, "all")];
    const other = operation(log, "other");
    void locks.run("y", onY.run);
    const done = locks.runAll(["x", "y"], all.run);
    expect(locks.isHeld("x")).toBe(false);
    const late = locks.run("x", onX.run);
    onY.end();
    await quiet();
    expect(log).toEqual(["y begins", "x begins", "y ends"]);
    onX.end();
    await late;
    await quiet();
    expect(log.at(-1)).toBe("all begins");
    const next = locks.run("x", other.run);
    all.end();
    other.end();
    expect([await done, await next]).toEqual(["all", "other"]);
  });

  it("that fails frees them all, and only its caller hears of it", async () => {
    const [locks, log] = [new Locks(), [] as string[]];
    const [all, next] = [operation(log, "all"), operation(log, "next")];
    const done = locks.runAll(["x", "y"], all.run);
    const later = locks.run("x", next.run);
    all.fail(new Error("refused"));
    next.end();
    await expect(done).rejects.toThrow("refused");
    expect(await later).toBe("next");
    await quiet();
    expect([locks.isHeld("x"), locks.isHeld("y")]).toEqual([false, false]);
  });
});
