// A browser that loses its network: the page says so, and misses nothing of what was printed meanwhile.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, lines, signIn, test } from "./harness";

test("what is printed while the network is away comes when it is back", async ({ page, context, millrace, repository }) => {
  // Each part is printed once its file is there.
  const gate = (name: string) => join(repository, "..", name);
  const printed = (name: string, count: number) =>
    `until [ -e '${gate(name)}' ]; do sleep 0.1; done; seq -f '${name} %.0f' ${count}`;
  const id = await millrace.submit(repository, [printed("before", 5), printed("meanwhile", 20), printed("after", 5)].join("\n"));
  const stored = async () => {
    const answer = await millrace.api(`/api/jobs/${id}/output?limit=1000`);
    return ((await answer.json()) as { lines: { line: string }[] }).lines.map(({ line }) => line);
  };
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/jobs/${id}`);
  writeFileSync(gate("before"), "");
  await expect(page.getByText("before 5", { exact: true })).toBeVisible({ timeout: 15_000 });
  const mark = page.locator("#connection");
  await expect(mark).toHaveAccessibleName(/^Live/);

  await context.setOffline(true);
  await expect(mark).toHaveAccessibleName(/^Offline/);
  await expect(page.getByRole("toolbar", { name: "Output" }).getByText("Offline", { exact: true })).toBeVisible();
  writeFileSync(gate("meanwhile"), "");
  await expect.poll(stored).toContain("meanwhile 20");
  await expect(page.getByText("meanwhile 1", { exact: true })).toHaveCount(0);

  await context.setOffline(false);
  await expect(mark).toHaveAccessibleName(/^Live/);
  await expect(page.getByText("meanwhile 20", { exact: true })).toBeVisible();
  writeFileSync(gate("after"), "");
  await expect(page.getByRole("status").filter({ hasText: "Succeeded" })).toBeVisible({ timeout: 15_000 });
  await expect(page.getByText("after 5", { exact: true })).toBeVisible();
  expect(await lines(page)).toEqual(await stored());
});
