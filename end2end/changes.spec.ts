// What an agent changed: seen, laid out side by side, copied, downloaded.

import { readFileSync } from "node:fs";

import { expect, signIn, test, type Millrace } from "./harness";

/** A job of the built-in agent that has ended with one new file. */
async function changedJob(millrace: Millrace, repository: string): Promise<string> {
  const answer = await millrace.api("/api/jobs", {
    method: "POST",
    body: JSON.stringify({ kind: "agent", agent: "demo", repository, prompt: "Look around", max_attempts: 1 }),
  });
  expect(answer.status).toBe(201);
  const { id } = (await answer.json()) as { id: string };
  const job = async () => (await (await millrace.api(`/api/jobs/${id}`)).json()) as { state: string; outcome?: string };
  await expect.poll(async () => (await job()).state, { timeout: 30_000 }).toBe("succeeded");
  expect((await job()).outcome).toBe("changed");
  return id;
}

test("a reviewer reads what an agent changed", async ({ page, context, millrace, repository }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.setViewportSize({ width: 1440, height: 900 });
  const id = await changedJob(millrace, repository);
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/jobs/${id}`);

  await page.getByRole("link", { name: /^Changes/ }).click();
  await expect(page).toHaveURL(/tab=changes/);
  const changes = page.getByRole("region", { name: "Changes" });
  await expect(changes.getByText("1 file changed")).toBeVisible();
  const row = changes.locator('.diff-row[data-side="new"]').first();
  await expect(row).toBeVisible();

  // Side by side is kept over a reload, and only where there is room for it.
  const unified = (await row.boundingBox())!;
  await changes.getByText("Side by side").click();
  await expect.poll(async () => (await row.boundingBox())!.x).toBeGreaterThan(unified.x);
  await page.reload();
  await expect(page.getByLabel("Side by side")).toBeChecked();
  await expect.poll(async () => (await row.boundingBox())!.x).toBeGreaterThan(unified.x);
  await page.setViewportSize({ width: 390, height: 844 });
  await expect.poll(async () => (await row.boundingBox())!.width).toBeGreaterThan(300);
  await page.setViewportSize({ width: 1440, height: 900 });

  await changes.getByRole("button", { name: "Copy" }).first().click();
  const path = await changes.locator(".diff-path").first().innerText();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(path);

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    changes.getByRole("link", { name: "Patch" }).click(),
  ]);
  expect(readFileSync(await download.path(), "utf8")).toContain(`+++ b/${path}`);

  // Back to the log, which is the same document's island again.
  await page.getByRole("link", { name: "Raw" }).click();
  await expect(page.getByRole("region", { name: "Lines" })).toBeVisible();
});
