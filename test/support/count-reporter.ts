/** A reporter that ends a run with the line "N passed, N failed", for machines that read the outcome. */
import type { Reporter, TestModule, TestRunEndReason } from "vitest/node";

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[], _reason: TestRunEndReason): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed++;
        if (state === "failed" || state === "pending") failed++;
      }
      // A file that could not even be loaded, and hooks that failed, have no test to count.
      if (module.state() === "failed" && [...module.children.allTests("failed")].length === 0) failed++;
    }
    // After the summary of the default reporter, which is written in the same tick.
    process.once("exit", () => console.log(`${passed} passed, ${failed} failed`));
  }
}
