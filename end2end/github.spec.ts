// The whole story with GitHub: connected by a click here and one there, a comment becomes a pull request, another one a
// commit more, and a check that fails one more.

import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { expect, signIn, test } from "./harness";

const DIRECTORY = process.env.PICTURES ?? "results/pictures";

// The fake GitHub has no icon for the tab.
test.use({ instance: "github", withGitHub: true, expectedComplaint: /status of 404/ });

test("a comment becomes a pull request, and goes on with it", async ({ page, millrace, github, browser }) => {
  test.setTimeout(180_000);
  const picture = (name: string) => page.screenshot({ path: join(DIRECTORY, `story-${name}.png`) });
  const orchard = `${github}/ada/orchard`;
  const comment = async (path: string, author: string, text: string) => {
    await page.goto(`${orchard}/${path}`);
    await page.getByLabel("As").first().selectOption(author);
    await page.locator("textarea").first().fill(text);
    await page.getByRole("button", { name: "Comment" }).click();
  };
  const commits = (branch: string) => {
    const heads = execFileSync("git", ["ls-remote", `${orchard}.git`], { encoding: "utf8" });
    return heads.split("\n").find((line) => line.endsWith(`refs/heads/${branch}`))?.split("\t")[0];
  };

  // One click here, one there, and one for the repositories.
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/settings`);
  await picture("connect");
  await page.getByRole("button", { name: "Connect GitHub" }).click();
  await page.getByRole("button", { name: "Create GitHub App" }).click();
  await page.getByRole("button", { name: "Install" }).click();
  await expect(page).toHaveURL(new RegExp(`^${millrace.address}/settings`));
  await expect(page.locator("body")).toContainText("ada/orchard");

  // Whoever is on the list comes in with GitHub.
  const ada = await browser.newPage();
  await ada.goto(`${millrace.address}/sign-in`);
  await ada.getByRole("link", { name: "Sign in with GitHub" }).click();
  await ada.getByRole("button", { name: "Continue as ada" }).click();
  await expect(ada).toHaveURL(`${millrace.address}/`);
  const eve = await browser.newPage({ storageState: { cookies: [], origins: [] } });
  await eve.goto(`${millrace.address}/sign-in`);
  await eve.getByRole("link", { name: "Sign in with GitHub" }).click();
  await eve.getByRole("button", { name: "Continue as eve" }).click();
  await expect(eve).toHaveURL(/\/sign-in\?/);
  await eve.close();

  // A comment makes a job, which is seen live, and ends as a pull request. The lane is closed until somebody looks, because
  // the demo agent is faster than a page.
  const lane = async (step: string, body = {}) => {
    const answer = await millrace.api(`/api/lanes/agent/${step}`, { method: "POST", body: JSON.stringify(body) });
    expect(answer.status).toBe(200);
  };
  await lane("pause", { reason: "until somebody looks" });
  await comment("issues/1", "ada", "@millrace Say what is in here");
  await expect(async () => {
    await page.goto(millrace.address);
    await page.getByRole("link", { name: "Say what is in here" }).click({ timeout: 1_000 });
  }).toPass({ timeout: 20_000 });
  await expect(page).toHaveURL(/\/jobs\//);
  await expect(page.getByText(/The lane is paused: until somebody looks/)).toBeVisible();
  const line = page.getByText("I am the demo agent.").first();
  await expect(line).toBeHidden();
  await lane("resume");
  await expect(line).toBeVisible({ timeout: 30_000 });
  const pull = page.getByRole("link", { name: "Pull request #2" }).first();
  await expect(pull).toBeVisible({ timeout: 30_000 });
  await picture("job");
  type Found = { id: string; branch: string; attempts: { agent: { head: string } }[] };
  const found = async (id: string) => (await (await millrace.api(`/api/jobs/${id}`)).json()) as Found;
  const first = await found(page.url().split("/").at(-1)!);
  expect(commits(first.branch)).toBe(first.attempts[0]!.agent.head);

  // A follow-up there adds a commit to the same branch.
  await comment("pull/2", "grace", "@millrace And once more");
  type Listed = { state: string; branch: string; title: string };
  const succeeds = (title: string) =>
    expect(async () => {
      const { jobs } = (await (await millrace.api("/api/jobs")).json()) as { jobs: Listed[] };
      const job = jobs.find((job) => job.title.startsWith(title));
      expect(job?.state).toBe("succeeded");
      expect(job?.branch).toBe(first.branch);
    }).toPass({ timeout: 40_000 });
  await succeeds("And once more");
  await expect.poll(() => commits(first.branch)).not.toBe(first.attempts[0]!.agent.head);
  await expect(async () => {
    await page.goto(`${orchard}/pull/2`);
    await expect(page.getByText("Done.")).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 20_000 });
  await picture("pull-request");
  await page.goto(`${orchard}/issues/1`);
  await picture("issue");

  // A check fails at the commit, and the agent goes on by itself: a third job, one commit more on the same branch.
  const checked = commits(first.branch);
  await page.goto(`${orchard}/pull/2`);
  await page.getByRole("button", { name: "Fail a check" }).click();
  await succeeds('The check "test" failed');
  await expect.poll(() => commits(first.branch)).not.toBe(checked);
  await page.goto(`${orchard}/pull/2`);
  await expect(page.getByRole("listitem").filter({ hasText: /^[0-9a-f]{7}/ })).toHaveCount(3);
  await ada.goto(`${millrace.address}/`);
  await expect(ada.getByRole("link", { name: "Say what is in here" })).toBeVisible();
  await ada.close();
  await page.goto(`${millrace.address}/deliveries`);
  await expect(page.locator(".panel").getByText("Made a job")).toHaveCount(3);
  await picture("deliveries");
});
