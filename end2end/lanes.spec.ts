// The operator's page: a lane is paused and resumed, old jobs are cleaned up, a runner is drained; and what others see of it.

import { expect, signIn, test } from "./harness";

test.use({ instance: "lanes" });

test("a lane is paused with a reason, everybody sees why, and it is resumed", async ({ page, millrace, repository }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/lanes`);
  const lane = page.getByRole("region", { name: "Lane command" });
  await lane.getByText("Pause", { exact: true }).click();
  await lane.getByLabel("Why").fill("the disk is full");
  await lane.getByLabel("For how long").selectOption("1 hour");
  await lane.getByRole("button", { name: "Pause command" }).click();
  await expect(lane.getByText(/Paused by \w+: the disk is full\. Resumes in/)).toBeVisible();

  const id = await millrace.submit(repository, "echo 'let through'");
  await page.goto(`${millrace.address}/jobs/${id}`);
  await expect(page.getByRole("heading", { name: "Why is this waiting?" })).toBeVisible();
  await expect(page.getByText(/The lane is paused: the disk is full\. It goes on in/)).toBeVisible();

  await page.goto(millrace.address);
  await expect(page.getByText(/the disk is full/)).toBeVisible();
  await page.getByRole("button", { name: "Resume" }).click();
  await expect(page.getByText(/the disk is full/)).toHaveCount(0);
  await expect(page.getByRole("heading", { name: /^Finished/ })).toBeVisible({ timeout: 15_000 });
});

test.describe("an answer that does not come", () => {
  test.use({ expectedComplaint: /ERR_FAILED/ });

  test("does not keep a job from saying why it waits", async ({ page, millrace, repository }) => {
    const lane = (step: string, body = {}) =>
      millrace.api(`/api/lanes/command/${step}`, { method: "POST", body: JSON.stringify(body) });
    await lane("pause", { reason: "the disk is full" });
    const id = await millrace.submit(repository, "true");
    await signIn(page, millrace);
    await page.goto(`${millrace.address}/jobs/${id}`);
    await expect(page.getByText(/the disk is full/)).toBeVisible();

    const failed = page.waitForEvent("requestfailed", (request) => request.url().endsWith(id));
    await page.route(`**/api/jobs/${id}`, (route) => route.abort(), { times: 1 });
    await failed;
    await lane("pause", { reason: "the disk is replaced" });
    await expect(page.getByText(/the disk is replaced/)).toBeVisible();
    await lane("resume");
  });
});

test("an open page of the lanes follows what happens", async ({ page, millrace, repository }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/lanes`);
  const id = await millrace.submit(repository, "echo 'seen from afar'; sleep 600");
  const runners = page.getByRole("region", { name: "Runners" });
  await expect(runners.getByRole("link", { name: /seen from afar/ })).toHaveAttribute("href", `/jobs/${id}`, {
    timeout: 15_000,
  });
  await millrace.api(`/api/jobs/${id}/cancel`, { method: "POST" });
  await expect(runners.getByRole("link", { name: /seen from afar/ })).toHaveCount(0, { timeout: 15_000 });
});

test("a runner is drained and takes jobs again", async ({ page, millrace }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/lanes`);
  const runners = page.getByRole("region", { name: "Runners" });
  await runners.getByRole("button", { name: "Drain" }).click();
  await expect(runners.getByText("Drained: it can be stopped")).toBeVisible();
  await runners.getByRole("button", { name: "Take jobs again" }).click();
  await expect(runners.getByText("Online")).toBeVisible();
});

test("a clean-up shows what goes before it goes", async ({ page, millrace, repository }) => {
  const id = await millrace.submit(repository, "echo 'soon gone'");
  await expect
    .poll(async () => ((await (await millrace.api(`/api/jobs/${id}`)).json()) as { state: string }).state)
    .toBe("succeeded");
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/lanes`);
  await page.getByLabel("Lane", { exact: true }).selectOption("command");
  await page.getByLabel("Jobs that are").selectOption("Succeeded");
  await page.getByLabel("Since more than").selectOption("any time");
  await page.getByRole("button", { name: "Preview" }).click();
  await expect(page.getByText(/of command, succeeded, with \d+ lines? of output/)).toBeVisible();
  await expect(page.locator(`.clean-preview a[href="/jobs/${id}"]`)).toBeVisible();
  await page.getByRole("button", { name: /^Remove/ }).click();
  await expect(page.getByText(/^Removed: \d+ jobs?\.$/)).toBeVisible();
  expect((await millrace.api(`/api/jobs/${id}`)).status).toBe(404);
});

test("a job is deleted after a second thought", async ({ page, millrace, repository }) => {
  const id = await millrace.submit(repository, "echo 'not kept'");
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/jobs/${id}`);
  await expect(page.getByText("Succeeded").first()).toBeVisible({ timeout: 15_000 });
  await page.locator("summary", { hasText: "Delete" }).click();
  await page.getByRole("button", { name: "Delete for good" }).click();
  await expect(page).toHaveURL(`${millrace.address}/`);
  expect((await millrace.api(`/api/jobs/${id}`)).status).toBe(404);
});
