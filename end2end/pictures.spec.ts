// Every page, light and dark, wide and narrow: nothing wider than the screen, and the README's picture.

import { join } from "node:path";

import { expect, signIn, test } from "./harness";

/** Where pictures go. `PICTURES=../docs/images` renews those of the README. */
const DIRECTORY = process.env.PICTURES ?? "results/pictures";

test("every page fits its screen in both themes", async ({ page, millrace, repository }) => {
  test.setTimeout(120_000);
  const failed = await millrace.submit(repository, "echo Running the tests; echo 'error: 1 of 3 failed' >&2; exit 1");
  for (const script of ["cargo test --workspace", "npm run build", "make release"]) {
    await millrace.submit(repository, `echo "${script}: ok" # ${script}`);
  }
  await expect
    .poll(async () => {
      const page = await millrace.api("/api/jobs?state=succeeded&limit=200");
      return ((await page.json()) as { jobs: unknown[] }).jobs.length;
    })
    .toBeGreaterThanOrEqual(3);
  const running = await millrace.submit(repository, 'for i in $(seq 900); do echo "checked $i of 900 files"; sleep 0.2; done');
  await signIn(page, millrace);

  const pages = { board: "/", "new-job": "/new", "job-running": `/jobs/${running}`, "job-failed": `/jobs/${failed}` };
  for (const [width, height] of [[1440, 900], [390, 844]] as const) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(millrace.address + path);
        await page.waitForLoadState("load");
        if (name === "board") await expect(page.getByText(/checked \d+ of 900 files/).first()).toBeVisible();
        await page.waitForTimeout(300);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(overflow, `${name} at ${width}`).toBeLessThanOrEqual(0);
        const plain = width === 1440 && colorScheme === "light";
        await page.screenshot({ path: join(DIRECTORY, plain ? `${name}.png` : `${name}-${width}-${colorScheme}.png`) });
      }
    }
  }
  await millrace.api(`/api/jobs/${running}/cancel`, { method: "POST" });
});
