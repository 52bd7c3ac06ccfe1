// Everything that is done often can be done without a mouse.

import type { Locator, Page } from "@playwright/test";

import { expect, signIn, test } from "./harness";

/** Goes on from field to field until it is there. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  await expect(async () => {
    await page.keyboard.press("Tab");
    await expect(target).toBeFocused({ timeout: 1 });
  }).toPass({ intervals: [0] });
}

test("the list of shortcuts opens, closes, and gives the focus back", async ({ page, millrace }) => {
  await signIn(page, millrace);
  const link = page.getByRole("navigation", { name: "Pages" }).first().getByRole("link", { name: "Lanes" });
  const shortcuts = page.getByRole("dialog", { name: "Shortcuts" });
  // The keys work from the moment that the page is live.
  await expect(page.locator("#connection")).toHaveAccessibleName(/^Live/);
  await link.focus();
  await page.keyboard.press("?");
  await expect(shortcuts).toBeVisible();
  // A key of the page means nothing below the list.
  await page.keyboard.press("n");
  await page.keyboard.press("Escape");
  await expect(shortcuts).toBeHidden();
  await expect(link).toBeFocused();
  await expect(page).toHaveURL(`${millrace.address}/`);
});

test("the palette opens a page, and a lane's pause", async ({ page, millrace }) => {
  await signIn(page, millrace);
  await expect(page.locator("#connection")).toHaveAccessibleName(/^Live/);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("what github told");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`${millrace.address}/deliveries`);

  await expect(async () => {
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("dialog", { name: "Search or go to" })).toBeVisible({ timeout: 500 });
  }).toPass();
  await page.keyboard.type("pause the command lane");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/lanes#/);
  const lane = page.getByRole("region", { name: "Lane command" });
  await expect(lane.getByLabel("Why")).toBeFocused();
  await page.keyboard.type("a quiet hour");
  await page.keyboard.press("Enter");
  await expect(lane.getByText(/a quiet hour/)).toBeVisible();
  await tabTo(page, lane.getByRole("button", { name: "Resume" }));
  await page.keyboard.press("Enter");
  await expect(lane.getByText(/a quiet hour/)).toHaveCount(0);
});

test("a job is asked for by keyboard alone", async ({ page, millrace, repository }) => {
  await signIn(page, millrace);
  await expect(page.locator("#connection")).toHaveAccessibleName(/^Live/);
  await page.keyboard.press("n");
  await expect(page).toHaveURL(`${millrace.address}/new`);
  await tabTo(page, page.getByRole("radio", { name: "An agent" }));
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("radio", { name: "A script" })).toBeChecked();
  await tabTo(page, page.getByLabel("Repository", { exact: true }));
  await page.keyboard.type(repository);
  await tabTo(page, page.getByLabel("Script", { exact: true }));
  await page.keyboard.type("echo 'no mouse'");
  await page.keyboard.press("Enter");
  await page.keyboard.type("echo 'two lines'");
  await tabTo(page, page.getByRole("button", { name: "Run it" }));
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/jobs\//);
  await expect(page.getByText("two lines", { exact: true })).toBeVisible({ timeout: 15_000 });
});

test("the chosen colours hold over a reload", async ({ page, millrace }) => {
  await page.emulateMedia({ colorScheme: "light" });
  await signIn(page, millrace);
  await expect(page.locator("#connection")).toHaveAccessibleName(/^Live/);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("light and dark");
  await page.keyboard.press("Enter");
  await expect.poll(ground).not.toBe(light);
  const dark = await ground();
  await page.reload();
  expect(await ground()).toBe(dark);
});
