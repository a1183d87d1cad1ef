// Reports the S3 clients that the other files use, or that one is missing.
import { writeSync } from "node:fs";
import { expect, test } from "vitest";
import { aws, mc, PYTHON_LIBRARIES, python, rclone, s3cmd } from "./programs.ts";

const STDERR = 2;

test.for([
  ["rclone", rclone.version],
  ["the AWS CLI", aws.version],
  ["s3cmd", s3cmd.version],
  ...PYTHON_LIBRARIES.map((name) => [name, python(name).version] as const),
  // It is built where there is Go.
  ...(mc.version === undefined ? [] : [["mc", mc.version] as const]),
] as const)("%s to test with", ([name, version], context) => {
  if (version !== undefined) {
    // Past Vitest, which may swallow a passing test's output.
    writeSync(STDERR, `S3 tests run with ${version}\n`);
    return;
  }
  const message = `S3 tests with ${name} skipped: it is not on this machine`;
  writeSync(STDERR, `${message}\n`);
  expect(process.env.REQUIRE_S3_CLIENTS ?? "", `REQUIRE_S3_CLIENTS is set, but ${message}`).toBe("");
  context.skip(message);
});
