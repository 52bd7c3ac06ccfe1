// The newcomer's first ten minutes: sign in, ask for a job, watch it, come back to it, stop another, keep the log.

import { readFileSync } from "node:fs";

import { expect, lines, test } from "./harness";

const COUNT = 40;

test("a job is watched from its first line to its end", async ({ page, millrace, repository }) => {
  await page.goto(millrace.signInLink);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(`${millrace.address}/`);

  await page.getByRole("link", { name: "New job" }).first().click();
  await page.getByLabel("Repository", { exact: true }).fill(repository);
  await page.getByText("A script", { exact: true }).click();
  await page.getByLabel("Script", { exact: true }).fill(`for i in $(seq ${COUNT}); do echo "step $i of ${COUNT}"; sleep 0.15; done`);
  await page.getByRole("button", { name: "Run it" }).click();
  await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);
  const id = new URL(page.url()).pathname.split("/").pop();

  // Lines are there before the job has ended.
  await expect(page.getByText(`step 3 of ${COUNT}`, { exact: true })).toBeVisible();
  const state = async () => ((await (await millrace.api(`/api/jobs/${id}`)).json()) as { state: string }).state;
  expect(await state()).toBe("running");

  // A reload in the middle neither loses nor repeats any.
  await page.reload();
  await expect(page.getByText(`step 12 of ${COUNT}`, { exact: true })).toBeVisible();
  await expect(page.getByText("Finished with exit code 0.")).toBeVisible({ timeout: 30_000 });
  const expected = Array.from({ length: COUNT }, (_, index) => `step ${index + 1} of ${COUNT}`);
  expect((await lines(page)).filter((line) => line.startsWith("step"))).toEqual(expected);
  await expect(page.getByRole("status").filter({ hasText: "Ended" })).toBeVisible();
  await expect(page.getByText("Succeeded").first()).toBeVisible();

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download as text" }).click(),
  ]);
  const text = readFileSync(await download.path(), "utf8");
  expect(text.split("\n").filter((line) => line.startsWith("step"))).toEqual(expected);

  await page.getByRole("link", { name: "Board" }).first().click();
  await expect(page.getByRole("heading", { name: "Finished" })).toBeVisible();
  await expect(page.getByText(/[1-9]\d* done/)).toBeVisible();
});
