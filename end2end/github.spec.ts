// The whole story with GitHub: connected by a click here and one there, a comment becomes a pull request, another one a
// commit more.

import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { expect, signIn, test } from "./harness";

const DIRECTORY = process.env.PICTURES ?? "results/pictures";

// The fake GitHub has no icon for the tab.
test.use({ instance: "github", withGitHub: true, expectedComplaint: /status of 404/ });

test("a comment becomes a pull request, and goes on with it", async ({ page, millrace, github, browser }) => {
  test.setTimeout(120_000);
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

  // One click here, two there.
  await signIn(page, millrace);
  await page.goto(`${millrace.address}/settings`);
  await page.getByRole("link", { name: "Connect GitHub" }).click();
  await picture("connect");
  await page.getByRole("button", { name: "Create the App at GitHub" }).click();
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

  // A comment makes a job, which is seen live, and ends as a pull request.
  await comment("issues/1", "ada", "@millrace Say what is in here");
  await page.goto(millrace.address);
  await page.getByRole("link", { name: "Say what is in here" }).click();
  const pull = page.getByRole("link", { name: "Pull request #2" }).first();
  await expect(pull).toBeVisible({ timeout: 30_000 });
  await picture("job");
  type Found = { id: string; branch: string; attempts: { agent: { head: string } }[] };
  const found = async (id: string) => (await (await millrace.api(`/api/jobs/${id}`)).json()) as Found;
  const first = await found(page.url().split("/").at(-1)!);
  expect(commits(first.branch)).toBe(first.attempts[0]!.agent.head);

  // A follow-up there adds a commit to the same branch.
  await comment("pull/2", "grace", "@millrace And once more");
  await expect(async () => {
    const { jobs } = (await (await millrace.api("/api/jobs")).json()) as { jobs: { state: string; branch: string; title: string }[] };
    const second = jobs.find((job) => job.title === "And once more");
    expect(second?.state).toBe("succeeded");
    expect(second?.branch).toBe(first.branch);
  }).toPass({ timeout: 40_000 });
  await expect.poll(() => commits(first.branch)).not.toBe(first.attempts[0]!.agent.head);
  await expect(async () => {
    await page.goto(`${orchard}/pull/2`);
    await expect(page.getByText("Done.")).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 20_000 });
  await picture("pull-request");
  await page.goto(`${orchard}/issues/1`);
  await picture("issue");
  await ada.goto(`${millrace.address}/`);
  await expect(ada.getByRole("link", { name: "Say what is in here" })).toBeVisible();
  await ada.close();
  await page.goto(`${millrace.address}/deliveries`);
  await expect(page.locator(".panel").getByText("Made a job")).toHaveCount(2);
  await picture("deliveries");
});
