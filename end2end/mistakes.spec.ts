// What goes wrong is said where it went wrong, and nothing that was typed is lost.

import { expect, signIn, test } from "./harness";

test("a repository that does not exist fails the job and says why", async ({ page, millrace }) => {
  const id = await millrace.submit("/nowhere/at/all", "true");
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/jobs/${id}`);
  await expect(page.getByText(/could not be fetched/).first()).toBeVisible({ timeout: 15_000 });
  await expect(page.getByRole("button", { name: "Retry" })).toBeVisible();
});

test("a used link says what to do, and lets nobody in", async ({ page, millrace }) => {
  const link = millrace.newSignInLink();
  await page.goto(link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(`${millrace.address}/`);
  // The board would go on asking for news.
  await page.goto("about:blank");
  await page.context().clearCookies();

  await page.goto(link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText(/millrace sign-in-link/)).toBeVisible();
  await page.goto(`${millrace.address}/`);
  await expect(page).toHaveURL(`${millrace.address}/sign-in`);
});

test.describe("answers that the browser itself reports", () => {
  test.use({ expectedComplaint: /status of (401|403|404|422)/ });

  test("a form with mistakes says which field, and keeps what was typed", async ({ page, millrace }) => {
    await signIn(page, millrace);
    await page.goto(`${millrace.address}/new`);
    await page.getByLabel("Repository", { exact: true }).fill("--upload-pack=touch");
    await page.getByText("A script", { exact: true }).click();
    await page.getByLabel("Script", { exact: true }).fill("echo precious");
    await page.getByRole("button", { name: "Run it" }).click();
    await expect(page.getByText("does not begin with a dash")).toBeVisible();
    const field = page.getByLabel("Repository", { exact: true });
    await expect(field).toHaveAttribute("aria-invalid", "true");
    await expect(field).toHaveAccessibleDescription(/does not begin with a dash/);
    await expect(page.getByRole("radiogroup", { name: "What runs" })).not.toHaveAttribute("aria-invalid");
    await expect(page.getByLabel("Script", { exact: true })).toHaveValue("echo precious");
  });

  test("a form that is turned away at the door says why", async ({ page, millrace, repository }) => {
    await signIn(page, millrace);
    await page.goto(`${millrace.address}/new`);
    // The browser has the form from then on.
    await expect(page.locator("#run_at-note")).toContainText("In your time zone");
    // As if the page were another site's.
    await page.route("**/api/create_job*", async (route) => {
      const headers = { ...route.request().headers(), "sec-fetch-site": "cross-site" };
      await route.fulfill({ response: await route.fetch({ headers }) });
    });
    await page.getByLabel("Repository", { exact: true }).fill(repository);
    await page.getByText("A script", { exact: true }).click();
    await page.getByLabel("Script", { exact: true }).fill("echo precious");
    await page.getByRole("button", { name: "Run it" }).click();
    await expect(page.getByRole("alert")).toContainText("This request comes from another site");
    await expect(page.getByLabel("Script", { exact: true })).toHaveValue("echo precious");
  });

  test("an open page whose session is over says so and leads to signing in", async ({ page, context, millrace }) => {
    await signIn(page, millrace);
    const mark = page.locator("#connection");
    await expect(mark).toHaveAccessibleName(/^Live/);
    await context.clearCookies();
    // A stream that is open stays so for a while.
    await context.setOffline(true);
    await expect(mark).toHaveAccessibleName(/^Offline/);
    await context.setOffline(false);
    const notice = page.getByRole("alert");
    await expect(notice).toContainText("Please sign in to go on.");
    await expect(mark).toHaveAccessibleName(/^Not live/);
    await notice.getByRole("link", { name: "Sign in" }).click();
    await expect(page).toHaveURL(`${millrace.address}/sign-in`);
  });

  test("an open page of a job that somebody deletes says so", async ({ page, millrace, repository }) => {
    const answer = await millrace.api("/api/jobs", {
      method: "POST",
      body: JSON.stringify({ kind: "command", repository, script: "true", run_at: Date.now() + 86_400_000 }),
    });
    const { id } = (await answer.json()) as { id: string };
    await signIn(page, millrace);
    await page.goto(`${millrace.address}/jobs/${id}`);
    const mark = page.locator("#connection");
    await expect(mark).toHaveAccessibleName(/^Live/);
    await millrace.api(`/api/jobs/${id}`, { method: "DELETE" });
    await expect(page.getByRole("alert")).toContainText(`There is no job ${id}`);
    // The stream ends when the server looks after the job the next time.
    await expect(mark).toHaveAccessibleName(/^Not live/, { timeout: 30_000 });
  });

  test("an unknown job and an unknown address are 404 pages with a way back", async ({ page, millrace }) => {
    await signIn(page, millrace);
    for (const path of ["/jobs/00000000-0000-7000-8000-000000000000", "/jobs/nonsense", "/nowhere"]) {
      const answer = await page.goto(millrace.address + path);
      expect(answer?.status(), path).toBe(404);
      await expect(page.getByRole("link", { name: /board/i }).first()).toBeVisible();
    }
  });
});
