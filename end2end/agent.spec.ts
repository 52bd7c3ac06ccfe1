// An agent is asked in the dashboard, watched step by step, and its work is read.

import { execFileSync } from "node:child_process";

import { expect, signIn, test } from "./harness";

test("an agent is asked, watched and its branch is there", async ({ page, millrace, repository }) => {
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/new`);
  await page.getByLabel("Repository", { exact: true }).fill(repository);
  await page.getByLabel("Prompt", { exact: true }).fill("Say what is in here");
  await expect(page.getByLabel("Script", { exact: true })).toBeHidden();
  await page.getByLabel("Agent", { exact: true }).selectOption("demo");
  await page.getByRole("button", { name: "Run it" }).click();

  await expect(page).toHaveURL(/\/jobs\//);
  await expect(page.getByRole("heading", { name: "Say what is in here" })).toBeVisible();
  await expect(page.getByRole("link", { name: /^Changes 1/ })).toBeVisible({ timeout: 30_000 });
  await expect(page.getByText("The agent says that it is done")).toBeVisible();

  await page.getByRole("link", { name: /^Changes/ }).click();
  await expect(page.getByRole("region", { name: "Changes" }).getByText("1 file changed")).toBeVisible();
  const branches = execFileSync("git", ["-C", repository, "branch", "--list", "millrace/*"], { encoding: "utf8" });
  expect(branches).toContain("say-what-is-in-here");

  // The conversation goes on, on the same branch.
  await page.getByLabel("Follow-up").fill("And once more");
  await page.getByRole("button", { name: "Ask for more" }).click();
  await expect(page.getByRole("heading", { name: "And once more", level: 1 })).toBeVisible();
  const conversation = page.getByRole("region", { name: "Conversation" });
  await expect(conversation.getByRole("link")).toHaveText(["Say what is in here", "And once more"]);
  await expect(conversation.getByText(/^1 file, \+\d+ −0 · millrace\//)).toBeVisible();
  await expect(page.getByRole("status").filter({ hasText: "Succeeded" })).toBeVisible({ timeout: 30_000 });
});
