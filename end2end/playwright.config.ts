// Journeys through the dashboard, one spec each, in the installed Chromium. `cargo xtask test browser` runs
// them and says where the browser (CHROMIUM) and the program to test (MILLRACE_BIN) are.

import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  testMatch: "**/*.spec.ts",
  outputDir: "results/artifacts",
  reporter: [["list"], ["json", { outputFile: "results/report.json" }]],
  // A journey that passes the second time has found something.
  retries: 0,
  workers: 1,
  forbidOnly: true,
  timeout: 60_000,
  use: {
    browserName: "chromium",
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      // No sandbox: as root, Chromium starts no other way. The rest keeps it from talking to anybody but us.
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--no-first-run",
      ],
    },
  },
});
