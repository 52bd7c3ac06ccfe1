// The board while work flows: jobs come and go on it without a reload, and one of them is stopped.

import { expect, signIn, test } from "./harness";

test("jobs come, run and end on an open board", async ({ page, millrace, repository }) => {
  await signIn(page, millrace);
  const row = page.locator(`a[href^="/jobs/"]`, { hasText: "echo from elsewhere" });
  await expect(row).toHaveCount(0);

  const id = await millrace.submit(repository, "echo from elsewhere; sleep 2");

  await expect(row).toHaveCount(1);
  await expect(page.getByRole("heading", { name: /^Running/ })).toBeVisible();
  await expect(page.getByText("from elsewhere", { exact: true })).toBeVisible();
  await expect(page.getByRole("heading", { name: /^Finished/ })).toBeVisible({ timeout: 15_000 });
  await expect(page.getByRole("heading", { name: /^Running/ })).toHaveCount(0);
  await expect(row).toHaveAttribute("href", `/jobs/${id}`);
});

test("a running job is canceled, and tried again", async ({ page, millrace, repository }) => {
  await signIn(page, millrace);
  const id = await millrace.submit(repository, 'echo "attempt $MILLRACE_ATTEMPT"; [ $MILLRACE_ATTEMPT = 2 ] || sleep 600');

  await page.goto(`${millrace.address}/jobs/${id}`);
  await expect(page.getByText("attempt 1", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByText("Canceled").first()).toBeVisible({ timeout: 15_000 });
  await expect(page.getByText("Stopped.", { exact: true })).toBeVisible();

  await page.getByRole("button", { name: "Retry" }).click();
  await expect(page.getByText("attempt 2", { exact: true })).toBeVisible({ timeout: 15_000 });
  await expect(page.getByText("Succeeded").first()).toBeVisible({ timeout: 15_000 });

  await page.getByRole("link", { name: /Attempts/ }).click();
  await expect(page.getByRole("link", { name: /Attempt \d/ })).toHaveCount(2);
  await page.getByRole("link", { name: "Attempt 1" }).click();
  await expect(page.getByText("Stopped.", { exact: true })).toBeVisible();
});

test("an attempt that ends before the page hears of it is shown", async ({ page, millrace, repository }) => {
  await signIn(page, millrace);
  const id = await millrace.submit(repository, 'echo "attempt $MILLRACE_ATTEMPT"');
  await page.goto(`${millrace.address}/jobs/${id}`);
  await expect(page.getByText("attempt 1", { exact: true })).toBeVisible();
  await expect(page.getByText("Succeeded").first()).toBeVisible({ timeout: 15_000 });

  // What the page asks after the click is answered when the second attempt is over.
  await page.route(`**/api/jobs/${id}`, async (route) => {
    await expect(async () => {
      const job = await (await millrace.api(`/api/jobs/${id}`)).json();
      expect(job).toMatchObject({ state: "succeeded", attempt: 2 });
    }).toPass();
    await route.continue();
  });
  await page.getByRole("button", { name: "Retry" }).click();
  await expect(page.getByText("attempt 2", { exact: true })).toBeVisible({ timeout: 15_000 });
});

test("filters are in the address and hold after a reload", async ({ page, millrace, repository }) => {
  await millrace.submit(repository, "echo needle");
  await millrace.submit(repository, "echo haystack; exit 7");
  await signIn(page, millrace);
  const needle = page.locator(`a[href^="/jobs/"]`, { hasText: "echo needle" });
  const haystack = page.locator(`a[href^="/jobs/"]`, { hasText: "echo haystack" });
  await expect(haystack).toHaveCount(1);

  await page.getByRole("searchbox").fill("needle");
  await page.getByRole("searchbox").press("Enter");
  await expect(haystack).toHaveCount(0);
  await expect(needle).toHaveCount(1);
  await page.reload();
  await expect(haystack).toHaveCount(0);
  await expect(needle).toHaveCount(1);
});
