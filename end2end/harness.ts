// What every journey starts from: a Millrace of its own, started as a newcomer would, and a real repository.

import { test as base, expect, type Page } from "@playwright/test";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** What the repository can run. */
const SCRIPTS = {
  lint: "echo 'Checked 214 files, no problems'",
  build: "echo 'Compiling waterwheel v0.4.2'; sleep 2; echo 'Finished in 2.0 s'",
  test: "echo 'running 3 tests'; echo 'error: gate_closes_slowly failed: expected 3 turns, got 4' >&2; exit 101",
  watch: "for i in $(seq 900); do echo \"test wheel::turn_$i ... ok\"; sleep 0.2; done",
};

/** A running `millrace up` with its own data. */
export type Millrace = {
  address: string;
  /** The link that `up` prints; it signs in once. */
  signInLink: string;
  dataDir: string;
  /** Another link, as the command line makes it. */
  newSignInLink(): string;
  /** A request to the API in the owner's name. */
  api(path: string, init?: RequestInit): Promise<Response>;
  /** Makes a job that is tried once and returns its id. */
  submit(repository: string, script: string): Promise<string>;
};

/**
 * The pages that a journey opens must not complain: no console error, no failed script, no hydration warning. A journey
 * that makes a mistake on purpose names what the browser says about it.
 */
function complaints(page: Page, expected: RegExp | null): string[] {
  const found: string[] = [];
  page.on("pageerror", (error) => found.push(`page error: ${error.message}`));
  page.on("console", (message) => {
    const complains = message.type() === "error" || message.type() === "warning";
    if (complains && !expected?.test(message.text())) {
      found.push(`console ${message.type()}: ${message.text()}`);
    }
  });
  return found;
}

export const test = base.extend<
  { expectedComplaint: RegExp | null; quiet: void; repository: string },
  { instance: string; withGitHub: boolean; github: string; millrace: Millrace }
>({
  expectedComplaint: [null, { option: true }],

  /** Journeys that name another one get a Millrace without the jobs of the rest. */
  instance: ["shared", { scope: "worker", option: true }],

  /** Journeys through GitHub have one of their own, which forgets everything. */
  withGitHub: [false, { scope: "worker", option: true }],

  /** Its address; empty where there is none. */
  github: [
    async ({ withGitHub }, use) => {
      if (!withGitHub) return await use("");
      const program = join(dirname(binary()), "millrace-fake-github");
      const fake = spawn(program, ["--listen", `127.0.0.1:${await freePort()}`], { stdio: ["ignore", "pipe", "inherit"] });
      await use(await printed(fake, /http:\S+/));
      await ended(fake);
    },
    { scope: "worker" },
  ],

  millrace: [
    async ({ instance, github }, use) => {
      const dataDir = mkdtempSync(join(tmpdir(), `millrace-${instance}-`));
      const port = await freePort();
      const up = spawn(binary(), ["up", "--data-dir", dataDir, "--listen", `127.0.0.1:${port}`], {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...withoutServers(), ...(github && connectable(github)) },
      });
      const signInLink = await printed(up, /http:\S+\/sign-in\?token=\S+/);
      const run = (...args: string[]) =>
        execFileSync(binary(), [...args, "--data-dir", dataDir, "--config", "/dev/null"], {
          encoding: "utf8",
          env: { ...withoutServers(), MILLRACE_SERVER__LISTEN: `127.0.0.1:${port}` },
        }).trim();
      const token = run("token", "create");
      const address = `http://127.0.0.1:${port}`;
      const api = (path: string, init: RequestInit = {}) =>
        fetch(`${address}${path}`, {
          ...init,
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...init.headers },
        });
      await use({
        address,
        signInLink,
        dataDir,
        newSignInLink: () => run("sign-in-link"),
        api,
        async submit(repository, script) {
          const answer = await api("/api/jobs", {
            method: "POST",
            body: JSON.stringify({ kind: "command", repository, script, max_attempts: 1 }),
          });
          expect(answer.status).toBe(201);
          return ((await answer.json()) as { id: string }).id;
        },
      });
      await ended(up);
      rmSync(dataDir, { recursive: true, force: true });
    },
    { scope: "worker", timeout: 60_000 },
  ],

  repository: async ({}, use) => {
    const parent = mkdtempSync(join(tmpdir(), "millrace-repositories-"));
    const directory = join(parent, "mill", "waterwheel");
    mkdirSync(join(directory, "ci"), { recursive: true });
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=Test", "-c", "user.email=test@example.org", ...args], { cwd: directory });
    git("init", "--quiet", "--initial-branch=main");
    writeFileSync(join(directory, "README.md"), "# A repository\n");
    for (const [name, script] of Object.entries(SCRIPTS)) {
      writeFileSync(join(directory, "ci", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    git("add", ".");
    git("commit", "--quiet", "--message=Begin");
    await use(directory);
    rmSync(parent, { recursive: true, force: true });
  },

  quiet: [
    async ({ page, expectedComplaint }, use) => {
      const found = complaints(page, expectedComplaint);
      await use();
      expect(found).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Opens a fresh link and presses its button. */
export async function signIn(page: Page, millrace: Millrace): Promise<void> {
  await page.goto(millrace.newSignInLink());
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(`${millrace.address}/`);
}


/** The texts of the lines that the log shows now, in order. */
export function lines(page: Page): Promise<string[]> {
  return page.locator(".line .line-text").allTextContents();
}

function binary(): string {
  const path = process.env.MILLRACE_BIN;
  if (!path) throw new Error("MILLRACE_BIN names the program to test; `cargo xtask test browser` sets it");
  return path;
}

/** `up` starts its own servers unless the environment names some. */
function withoutServers(): NodeJS.ProcessEnv {
  const { DATABASE_URL, REDIS_URL, ...rest } = process.env;
  return rest;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

/** Millrace's settings for this GitHub. */
function connectable(github: string): NodeJS.ProcessEnv {
  return { MILLRACE_GITHUB__URL: github, MILLRACE_GITHUB__MEMBERS: "ada", MILLRACE_AGENTS__DEFAULT: "demo" };
}

/** The first thing of this form that a program prints. */
function printed(program: ChildProcess, form: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = "";
    program.stdout?.on("data", (data: Buffer) => {
      all += data.toString();
      const found = form.exec(all);
      if (found) resolve(found[0]);
    });
    program.once("exit", (code) => reject(new Error(`the program ended with ${code}:\n${all}`)));
  });
}

/** Ctrl-C, and everything that was started is gone. */
function ended(up: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    up.once("exit", () => resolve());
    up.kill("SIGINT");
  });
}
