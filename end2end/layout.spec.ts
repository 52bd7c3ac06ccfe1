// Nothing on a page moves by itself from its first picture until the browser has taken it over.

import type { Page } from "@playwright/test";

import { expect, signIn, test } from "./harness";

/** A time that goes from `9 s` to `10 s` stands at the right and begins further left; that counts for some millionths. */
const ALLOWED = 0.001;

type Shift = { value: number; moved: string[] };

/** Notes what moves without anybody having touched the page, from the first picture on. */
function noteShifts(): void {
  const shifts: Shift[] = [];
  Object.assign(window, { shifts });
  type Entry = PerformanceEntry & { value: number; hadRecentInput: boolean; sources: { node: Node | null }[] };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as Entry[]) {
      const moved = entry.sources.map(({ node }) => (node instanceof Element ? node.outerHTML : `${node?.textContent}`).slice(0, 120));
      if (!entry.hadRecentInput) shifts.push({ value: entry.value, moved });
    }
  }).observe({ type: "layout-shift", buffered: true });
}

/** The browser has taken a page over once its keys work. The event is the script's own: a key of a person excuses shifts. */
function isTakenOver(): boolean {
  window.dispatchEvent(new KeyboardEvent("keydown", { key: "?" }));
  return document.querySelector<HTMLDialogElement>("dialog.shortcuts")?.open === true;
}

async function shifts(page: Page, address: string): Promise<Shift[]> {
  await page.goto(address);
  await page.waitForFunction(isTakenOver);
  // What comes with the first news from the server counts as well.
  await page.waitForTimeout(500);
  return page.evaluate(() => (window as unknown as { shifts: Shift[] }).shifts);
}

test("no page moves while it is taken over", async ({ page, millrace, repository }) => {
  test.setTimeout(120_000);
  await millrace.submit(repository, "ci/lint");
  // A log of several screens that says no more: lines that come move those before them, as they should.
  const running = await millrace.submit(repository, "seq -f 'turn %.0f' 200; sleep 600");
  const printed = async () => await (await millrace.api(`/api/jobs/${running}/output.txt`)).text();
  await expect.poll(printed, { timeout: 15_000 }).toContain("turn 200");
  await signIn(page, millrace);
  await page.addInitScript(noteShifts);
  for (const width of [1440, 768, 390]) {
    await page.setViewportSize({ width, height: 900 });
    for (const path of ["/", "/new", `/jobs/${running}`, "/lanes", "/settings"]) {
      const moved = await shifts(page, millrace.address + path);
      const sum = moved.reduce((sum, shift) => sum + shift.value, 0);
      expect.soft(sum, `${path} at ${width}: ${JSON.stringify(moved)}`).toBeLessThan(ALLOWED);
    }
  }
  await millrace.api(`/api/jobs/${running}/cancel`, { method: "POST" });
});
