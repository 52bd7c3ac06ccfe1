// What belongs to a person: tokens are shown once and can be withdrawn, schedules are made and deleted.

import { expect, signIn, test } from "./harness";

test.use({ instance: "settings" });

test("a token is shown once, works, and is withdrawn", async ({ page, millrace }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/settings`);
  await page.getByLabel("New token").fill("nightly");
  await page.getByRole("button", { name: "Make token" }).click();
  const secret = page.locator("#new-token");
  await expect(secret).not.toBeEmpty();
  const headers = { authorization: `Bearer ${await secret.textContent()}` };
  expect((await fetch(`${millrace.address}/api/jobs`, { headers })).status).toBe(200);

  await page.reload();
  await expect(secret).toBeHidden();
  const row = page.getByRole("listitem").filter({ hasText: "nightly" });
  await row.locator("summary").click();
  await row.getByRole("button", { name: "Withdraw this token" }).click();
  await expect(row).toHaveCount(0);
  expect((await fetch(`${millrace.address}/api/jobs`, { headers })).status).toBe(401);
});

test.describe("answers that the browser itself reports", () => {
  test.use({ expectedComplaint: /status of 422/ });

  test("a schedule says what is wrong with it, is made, and deleted", async ({ page, millrace, repository }) => {
    await signIn(page, millrace);
    await page.goto(`${millrace.address}/settings`);
    await page.getByText("New schedule").click();
    await page.getByLabel("Name", { exact: true }).fill("Nightly build");
    await page.getByLabel("When", { exact: true }).fill("at night");
    await page.getByLabel("Repository", { exact: true }).fill(repository);
    await page.getByLabel("Script", { exact: true }).fill("echo night");
    await page.getByRole("button", { name: "Make schedule" }).click();
    await expect(page.locator(".field[data-wrong]")).toHaveCount(1);
    const when = page.getByLabel("When", { exact: true });
    await expect(when).toHaveAttribute("aria-invalid", "true");
    await expect(when).toHaveAccessibleDescription(await page.locator(".field[data-wrong] .field-note").innerText());
    await expect(page.getByLabel("Script", { exact: true })).toHaveValue("echo night");

    await when.fill("0 3 * * *");
    await page.getByRole("button", { name: "Make schedule" }).click();
    const row = page.getByRole("listitem").filter({ hasText: "Nightly build" });
    await expect(row.getByText(/Next in/)).toBeVisible();
    await expect(page.locator("[aria-invalid]")).toHaveCount(0);
    await row.locator("summary").click();
    await row.getByRole("button", { name: "Delete this schedule" }).click();
    await expect(row).toHaveCount(0);
  });
});
