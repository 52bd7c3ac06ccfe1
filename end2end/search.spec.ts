// Finding text in an output that the browser does not hold.

import { expect, signIn, test } from "./harness";

test("text far away is found, counted and marked, from match to match", async ({ page, millrace, repository }) => {
  const id = await millrace.submit(repository, "seq -f 'turn %.0f' 50000; echo 'ERROR: stuck'; seq -f 'after %.0f' 5000");
  await expect
    .poll(async () => ((await (await millrace.api(`/api/jobs/${id}`)).json()) as { state: string }).state, { timeout: 30_000 })
    .toBe("succeeded");
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/jobs/${id}`);
  const log = page.getByRole("region", { name: "Lines" });
  const field = page.getByRole("searchbox", { name: "Find in the output" });
  const found = page.getByRole("search").getByRole("status");

  await log.focus();
  await page.keyboard.press("Control+f");
  await expect(field).toBeFocused();
  await page.keyboard.type("error: STUCK");
  await expect(found).toHaveText("1 of 1");
  await expect(page.locator(".line", { hasText: "ERROR: stuck" })).toBeInViewport();
  const marks = () => page.evaluate(() => CSS.highlights.get("found")?.size ?? 0);
  await expect.poll(marks).toBe(1);

  await field.fill("turn 4999");
  await expect(found).toHaveText("1 of 11");
  await expect(page.getByText("turn 4999", { exact: true })).toBeInViewport();
  await page.keyboard.press("Shift+Enter");
  await expect(found).toHaveText("11 of 11");
  await expect(page.getByText("turn 49999", { exact: true })).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(found).toHaveText("1 of 11");
  await page.getByRole("button", { name: "Next match" }).click();
  await expect(found).toHaveText("2 of 11");
  await expect(page.getByText("turn 49990", { exact: true })).toBeInViewport();

  await field.fill("turn 60000");
  await expect(found).toHaveText("Nothing found");
  await field.press("Escape");
  await expect(field).toHaveValue("");
  await expect.poll(marks).toBe(0);
});
