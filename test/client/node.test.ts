// A Node that is too old is told so, before a module that it lacks.
import { expect, test } from "vitest";
import { requireNode } from "../../src/client/ground/node.ts";

test.each(["22.18.0", "22.19.1", "24.0.0", "26.10.0"])("Node %s will do", (version) => {
  expect(() => requireNode(version)).not.toThrow();
});

test.each(["18.20.0", "20.20.2", "22.17.9"])("Node %s is too old", (version) => {
  expect(() => requireNode(version)).toThrow(`nix-cache needs Node 22.18 or later, and this is ${version}`);
});
