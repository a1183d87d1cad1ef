/** The Worker's log, kept out of the test's output and available for assertions. */
import { afterEach, beforeEach, type MockInstance, vi } from "vitest";

/** To be called once in a file: gives what `console.error` is called with in each test. */
export function captureLog(): MockInstance<typeof console.error> {
  const errors = vi.spyOn(console, "error");
  const warnings = vi.spyOn(console, "warn");
  beforeEach(() => {
    errors.mockImplementation(() => {});
    warnings.mockImplementation(() => {});
  });
  afterEach(() => {
    errors.mockReset();
    warnings.mockReset();
  });
  return errors;
}
