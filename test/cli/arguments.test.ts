/** The arguments of `npm start`: what wrangler gets, and what the program reads itself. */
import { describe, expect, test } from "vitest";
import { readArguments } from "../../src/cli/arguments.ts";

const QUIET = ["--log-level=warn", "--show-interactive-dev-session=false"];

describe("what wrangler gets", () => {
  test.each([
    { given: [], passed: QUIET },
    {
      given: ["--port", "9000", "--persist-to", "DIR"],
      passed: ["--port", "9000", "--persist-to", "DIR", ...QUIET],
    },
    { given: ["--log-level", "debug"], passed: ["--log-level", "debug", QUIET[1]] },
    { given: ["--log-level=debug"], passed: ["--log-level=debug", QUIET[1]] },
    { given: ["--show-interactive-dev-session"], passed: ["--show-interactive-dev-session", QUIET[0]] },
  ])("$given", ({ given, passed }) => {
    expect(readArguments(given).forWrangler).toEqual(passed);
  });
});

describe("what is read of the arguments", () => {
  test.each([
    { given: [], env: undefined },
    { given: ["--env", "test"], env: "test" },
    { given: ["--env=test"], env: "test" },
    { given: ["-e", "one", "-e", "two"], env: "two" },
    { given: ["--env-file", "test"], env: undefined },
  ])("the environment of $given is $env", ({ given, env }) => {
    expect(readArguments(given).env).toBe(env);
  });

  test("files of variables, repeated or in one list", () => {
    const { envFiles } = readArguments(["--env-file", "a", "b", "--port", "1", "--env-file=c"]);
    expect(envFiles).toEqual(["a", "b", "c"]);
  });

  test("variables, whose values may have colons and equals signs", () => {
    const { vars } = readArguments([
      "--var",
      "PRIORITY:30",
      "SIGNING_KEY:a-1:b==",
      "--var=PUSH_TOKEN:x=y",
      "--var",
      "ODD",
    ]);
    expect(vars).toEqual({ PRIORITY: "30", SIGNING_KEY: "a-1:b==", PUSH_TOKEN: "x=y", ODD: "" });
  });

  test.each([
    { given: [], protocol: "http" },
    { given: ["--local-protocol", "https"], protocol: "https" },
    { given: ["--local-protocol=http"], protocol: "http" },
  ])("the protocol of $given is $protocol", ({ given, protocol }) => {
    expect(readArguments(given).protocol).toBe(protocol);
  });

  test.each([
    { given: [], port: 8787, persistTo: undefined },
    { given: ["--port", "9000", "--persist-to=DIR"], port: 9000, persistTo: "DIR" },
    { given: ["--port=0", "--persist-to", "DIR"], port: 0, persistTo: "DIR" },
  ])("the port of $given is $port, the folder $persistTo", ({ given, port, persistTo }) => {
    expect(readArguments(given)).toMatchObject({ port, persistTo });
  });

  test.each(["--help", "-h"])("%s only asks", (option) => {
    expect(readArguments([option]).isHelp).toBe(true);
    expect(readArguments(["--port", "1"]).isHelp).toBe(false);
  });
});
