// A log that no browser could hold as a page: it scrolls like a short one, and follows until the reader looks elsewhere.

import { expect, signIn, test } from "./harness";

test("a log of a million lines opens at its end and scrolls everywhere", async ({ page, millrace, repository }) => {
  test.setTimeout(120_000);
  const id = await millrace.submit(repository, 'seq -f "line %.0f" 1000000');
  await expect
    .poll(async () => ((await (await millrace.api(`/api/jobs/${id}`)).json()) as { state: string }).state, {
      timeout: 90_000,
    })
    .toBe("succeeded");
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/jobs/${id}`);
  const log = page.getByRole("region", { name: "Lines" });

  // Two lines of Millrace's own come first.
  await log.focus();
  await page.keyboard.press("End");
  await expect(page.getByText("line 1000000", { exact: true })).toBeVisible();
  await page.keyboard.press("Home");
  await expect(page.getByText("line 1", { exact: true })).toBeVisible();
  await log.evaluate((element) => (element.scrollTop = element.scrollHeight / 2));
  await expect(page.getByText(/^line (499|500)\d{3}$/).first()).toBeVisible();
  expect(await page.locator(".line").count()).toBeLessThan(500);

  // Far down one pixel of the scrolled space stands for several of the lines.
  await page.goto(`${millrace.address}/jobs/${id}#L765434`);
  const line = page.getByText("line 765432", { exact: true });
  await expect(line).toBeInViewport();
  const height = async () => (await line.boundingBox())!.y;
  const before = await height();
  await log.hover();
  await page.mouse.wheel(0, 100);
  const off = async () => Math.abs((await height()) - (before - 100));
  await expect.poll(off).toBeLessThan(2);
  // The scrolled space is put right a moment later; the lines stay where they are.
  await page.waitForTimeout(500);
  expect(await off()).toBeLessThan(2);
});

test("following lets go when the reader scrolls up, and resumes", async ({ page, millrace, repository }) => {
  const id = await millrace.submit(repository, 'for i in $(seq 400); do echo "tick $i"; sleep 0.05; done');
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/jobs/${id}`);
  const log = page.getByRole("region", { name: "Lines" });
  await expect(page.getByText("tick 80", { exact: true })).toBeVisible({ timeout: 20_000 });

  await log.hover();
  await page.mouse.wheel(0, -600);
  const follow = page.getByRole("button", { name: "Follow" });
  await expect(follow).toBeVisible();
  const top = await log.evaluate((element) => element.scrollTop);
  await page.waitForTimeout(500);
  expect(await log.evaluate((element) => element.scrollTop)).toBe(top);

  await follow.click();
  await expect(follow).toBeHidden();
  await expect(page.getByText("tick 400", { exact: true })).toBeVisible({ timeout: 30_000 });
});

test("a failed job opens at its first error line, with its colours", async ({ page, millrace, repository }) => {
  const script = [
    'seq -f "compiling %.0f" 2000',
    'printf "\\033[31merror: the mill is stuck\\033[0m\\n" >&2',
    'seq -f "note %.0f" 2000',
    "exit 101",
  ].join("\n");
  const id = await millrace.submit(repository, script);
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/jobs/${id}`);
  await expect(page.getByText("Failed").first()).toBeVisible({ timeout: 15_000 });
  await page.reload();
  const error = page.locator(".line", { hasText: "error: the mill is stuck" });
  await expect(error).toBeInViewport();
  await expect(error).toHaveAttribute("data-stream", "stderr");
  await expect(page.getByText("exit code 101").first()).toBeVisible();
});
