// Before the WASM is there, or where scripts are off, the dashboard still does what it is for.

import { expect, signIn, test } from "./harness";

// A browser without scripts has no use for the WASM that the page announces.
test.use({ javaScriptEnabled: false, expectedComplaint: /preloaded using link preload/ });

test("a job is asked for, watched and canceled by plain forms", async ({ page, millrace, repository }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/new`);
  await page.getByLabel("Repository", { exact: true }).fill(repository);
  await page.getByText("A script", { exact: true }).click();
  await page.getByLabel("Script", { exact: true }).fill("echo plain; sleep 600");
  await page.getByRole("button", { name: "Run it" }).click();
  await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);

  await expect(async () => {
    await page.reload();
    await expect(page.getByText("plain", { exact: true })).toBeVisible({ timeout: 500 });
  }).toPass();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(async () => {
    await page.reload();
    await expect(page.getByText("Canceled").first()).toBeVisible({ timeout: 500 });
  }).toPass();
});

test("the board is filtered and read to its end by plain links", async ({ page, millrace, repository }) => {
  // More than a page of jobs that have ended without ever running.
  const COUNT = 60;
  const run_at = Date.now() + 86_400_000;
  const job = (repository: string, words: string) => ({ kind: "command", repository, script: `echo bygone ${words}`, run_at });
  const jobs = Array.from({ length: COUNT }, (_, index) => job(repository, `${index}`));
  jobs.push(job("/somewhere/else", "elsewhere"));
  const answer = await millrace.api("/api/jobs", { method: "POST", body: JSON.stringify(jobs) });
  expect(answer.status).toBe(201);
  const { jobs: made } = (await answer.json()) as { jobs: { id: string }[] };

  await signIn(page, millrace);
  await page.getByRole("link", { name: "Scheduled", exact: true }).click();
  await page.getByLabel("Repository", { exact: true }).selectOption(repository);
  await page.getByRole("searchbox").fill("bygone");
  await page.getByRole("button", { name: "Show these jobs" }).click();
  const rows = page.locator(".job-row", { hasText: "echo bygone" });
  await expect(rows).toHaveCount(COUNT);
  for (const { id } of made) await millrace.api(`/api/jobs/${id}/cancel`, { method: "POST" });
  await page.reload();
  await expect(page.getByRole("heading", { name: "No job matches" })).toBeVisible();

  await page.getByRole("link", { name: "Canceled", exact: true }).click();
  const titles = await rows.locator(".job-title").allTextContents();
  await page.getByRole("link", { name: "Older jobs" }).click();
  await expect(page).toHaveURL(/cursor=/);
  titles.push(...(await rows.locator(".job-title").allTextContents()));
  expect(new Set(titles).size).toBe(COUNT);
  expect(titles.length).toBe(COUNT);
  await expect(page.getByRole("link", { name: "Older jobs" })).toBeHidden();
  await page.getByRole("link", { name: "Latest jobs" }).click();
  await expect(page).not.toHaveURL(/cursor=/);
  await expect(page.getByRole("link", { name: "Older jobs" })).toBeVisible();
});

test("a lane is paused and resumed by plain forms, and a job waits until its time", async ({ page, millrace, repository }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/lanes`);
  const lane = page.getByRole("region", { name: "Lane command" });
  await lane.getByText("Pause", { exact: true }).click();
  await lane.getByLabel("Why").fill("a quiet hour");
  await lane.getByRole("button", { name: "Pause command" }).click();
  await expect(lane.getByText(/a quiet hour\. Stays so until somebody resumes it/)).toBeVisible();
  await lane.getByRole("button", { name: "Resume" }).click();
  await expect(lane.getByText(/a quiet hour/)).toHaveCount(0);

  await page.goto(`${millrace.address}/new`);
  await page.getByLabel("Repository", { exact: true }).fill(repository);
  await page.getByText("A script", { exact: true }).click();
  await page.getByLabel("Script", { exact: true }).fill("echo later");
  await page.getByText("More", { exact: true }).click();
  await page.getByLabel("Attempts").fill("2");
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 16);
  await page.getByLabel("Start").fill(tomorrow);
  await page.getByRole("button", { name: "Run it" }).click();
  await expect(page.getByText("Scheduled").first()).toBeVisible();
  await expect(page.getByText(/Somebody asked for a later start/)).toBeVisible();
  const id = page.url().split("/").at(-1);
  const job = (await (await millrace.api(`/api/jobs/${id}`)).json()) as { run_at: number; max_attempts: number };
  expect(job.run_at).toBe(Date.parse(`${tomorrow}Z`));
  expect(job.max_attempts).toBe(2);
});

test("a form with mistakes keeps what was typed", async ({ page, millrace }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/new`);
  await page.getByLabel("Repository", { exact: true }).fill("not an address");
  await page.getByText("A script", { exact: true }).click();
  await page.getByLabel("Script", { exact: true }).fill("echo precious");
  await page.getByRole("button", { name: "Run it" }).click();
  await expect(page.getByText(/The address of a repository has no spaces/)).toBeVisible();
  await expect(page.getByLabel("Repository", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Script", { exact: true })).toHaveValue("echo precious");
});

test("a schedule with mistakes keeps what was typed", async ({ page, millrace }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/settings`);
  await page.getByText("New schedule").click();
  await page.getByLabel("Name", { exact: true }).fill("Nightly build");
  await page.getByLabel("When", { exact: true }).fill("at night");
  await page.getByLabel("Repository", { exact: true }).fill("/srv/orchard");
  await page.getByText("An agent", { exact: true }).click();
  await page.getByLabel("Prompt", { exact: true }).fill("Look around");
  await page.getByRole("button", { name: "Make schedule" }).click();
  await expect(page.getByLabel("When", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Nightly build");
  await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("Look around");
  await expect(page.getByRole("alert")).toHaveCount(0);
});
