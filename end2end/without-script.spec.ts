// Before the WASM is there, or where scripts are off, the dashboard still does what it is for.

import { expect, signIn, test } from "./harness";

// A browser without scripts has no use for the WASM that the page announces.
test.use({ javaScriptEnabled: false, expectedComplaint: /preloaded using link preload/ });

test("a job is asked for, watched and canceled by plain forms", async ({ page, millrace, repository }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/new`);
  await page.getByLabel("Repository", { exact: true }).fill(repository);
  await page.getByLabel("Script").fill("echo plain; sleep 600");
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

test("a form with mistakes keeps what was typed", async ({ page, millrace }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/new`);
  await page.getByLabel("Repository", { exact: true }).fill("not an address");
  await page.getByLabel("Script").fill("echo precious");
  await page.getByRole("button", { name: "Run it" }).click();
  await expect(page.getByText(/The address of a repository has no spaces/)).toBeVisible();
  await expect(page.getByLabel("Script")).toHaveValue("echo precious");
});
