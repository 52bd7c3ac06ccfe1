// Every page, light and dark, wide and narrow: nothing wider than the screen, and the README's picture.

import { join } from "node:path";

import { expect, signIn, test } from "./harness";

/** Where pictures go. `PICTURES=../docs/images` renews those of the README. */
const DIRECTORY = process.env.PICTURES ?? "results/pictures";

test.use({ instance: "pictures" });

test("every page fits its screen in both themes", async ({ page, millrace, repository }) => {
  test.setTimeout(240_000);
  const ended = async (count: number) => {
    const finished = async (state: string) =>
      ((await (await millrace.api(`/api/jobs?state=${state}`)).json()) as { jobs: unknown[] }).jobs.length;
    await expect.poll(async () => (await finished("succeeded")) + (await finished("failed"))).toBe(count);
  };
  for (const script of ["ci/lint", "ci/build", "ci/lint --all", "ci/build --release"]) {
    await millrace.submit(repository, script);
  }
  const failed = await millrace.submit(repository, "ci/test");
  await ended(5);
  await millrace.submit(repository, "ci/lint --fix");
  const answer = await millrace.api("/api/jobs", {
    method: "POST",
    body: JSON.stringify({ kind: "agent", agent: "demo", repository, prompt: "Say what is in here", max_attempts: 1 }),
  });
  const { id: agent } = (await answer.json()) as { id: string };
  await ended(7);
  const running = await millrace.submit(repository, "ci/watch");
  await signIn(page, millrace);

  const pages = { board: "/", lanes: "/lanes", settings: "/settings", deliveries: "/deliveries", "new-job": "/new", "job-running": `/jobs/${running}`, "job-failed": `/jobs/${failed}`, "job-agent": `/jobs/${agent}` };
  for (const [width, height] of [[1440, 900], [768, 1024], [390, 844]] as const) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(millrace.address + path);
        await page.waitForLoadState("load");
        if (name === "board") await expect(page.getByText(/wheel::turn_\d+/).first()).toBeVisible();
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
