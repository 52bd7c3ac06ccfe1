// What the board lists is chosen in place, and the address says it.

import { expect, signIn, test } from "./harness";

test.use({ instance: "filters" });

test("a repository is chosen, and older jobs are listed below the latest", async ({ page, millrace, repository }) => {
  // More than a page of jobs that have ended without ever running, and one in another repository.
  const COUNT = 60;
  const run_at = Date.now() + 86_400_000;
  const job = (repository: string, script: string) => ({ kind: "command", repository, script, run_at });
  const jobs = Array.from({ length: COUNT }, (_, index) => job(repository, `echo bygone ${index}`));
  jobs.push(job("/somewhere/else", "echo elsewhere"));
  const answer = await millrace.api("/api/jobs", { method: "POST", body: JSON.stringify(jobs) });
  expect(answer.status).toBe(201);
  const { jobs: made } = (await answer.json()) as { jobs: { id: string }[] };
  for (const { id } of made) {
    await millrace.api(`/api/jobs/${id}/cancel`, { method: "POST" });
  }
  await signIn(page, millrace);
  await expect(page.locator("#connection")).toHaveAccessibleName(/^Live/);
  const elsewhere = page.getByRole("link", { name: "echo elsewhere" });
  await expect(elsewhere).toBeVisible();

  await page.getByLabel("Repository", { exact: true }).selectOption(repository);
  await expect(elsewhere).toHaveCount(0);
  await expect(page).toHaveURL(/repository=/);
  const rows = page.locator(".job-row", { hasText: "echo bygone" });
  const first = await rows.count();
  expect(first).toBeLessThan(COUNT);
  await page.getByRole("link", { name: "Older jobs" }).click();
  await expect(rows).toHaveCount(COUNT);
  await expect(page).not.toHaveURL(/cursor=/);

  await page.getByRole("link", { name: "Parked", exact: true }).click();
  await expect(page.getByRole("heading", { name: "No job matches" })).toBeVisible();
  await page.reload();
  await expect(page.getByLabel("Repository", { exact: true })).toHaveValue(repository);
  await page.getByRole("link", { name: "Show all jobs" }).click();
  await expect(elsewhere).toBeVisible();
});
