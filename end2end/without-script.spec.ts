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
  await expect(page.getByLabel("Script", { exact: true })).toHaveValue("echo precious");
});
