// Where a story about pages is played: the pages are served, a browser is started, and people with
// names open them. The environment names the browser (`CHROMIUM`); the server's address is read from
// standard input, after the origin of the pages was written to standard output.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

import { serve } from "./serve.mjs";

/** How long anything on a page may take: never waited for when all is well. */
export const PATIENCE_MS = 30_000;
/** How long a whole story may take. */
const STORY_MS = 180_000;

/** Somebody in front of a page. */
class Person {
  constructor(page) {
    this.page = page;
    this.log = page.getByRole("log");
  }

  write(label, text) {
    return this.page.getByLabel(label, { exact: true }).fill(text);
  }

  choose(label, option) {
    return this.page.getByRole("combobox", { name: label, exact: true }).selectOption({ label: option });
  }

  press(name) {
    return this.page.getByRole("button", { name, exact: true }).click();
  }

  /** Types a line letter by letter, and sends it with the enter key. */
  async say(text) {
    const field = this.page.getByLabel("Message", { exact: true });
    await field.pressSequentially(text);
    await field.press("Enter");
  }

  /** Waits until a line stands in the conversation, and checks that it stands there once. */
  async reads(who, text) {
    const lines = this.log.getByRole("listitem").filter({ has: this.page.getByText(who, { exact: true }) });
    const meant = lines.filter({ hasText: text });
    await meant.first().waitFor();
    assert.equal(await meant.count(), 1, `${who}: ${text}`);
  }

  /** Waits until the page notes something in the conversation that nobody said, and checks that it does once. */
  async notes(text) {
    const meant = this.log.locator("li.event").filter({ hasText: new RegExp(`^${text}$`) });
    await meant.first().waitFor();
    assert.equal(await meant.count(), 1, text);
  }

  /** Waits until these words are somewhere on the page. */
  sees(text) {
    return this.page.getByText(text).first().waitFor();
  }

  /** Waits until the page is connected. */
  connected() {
    return this.page.locator("#status[data-state=on]").waitFor();
  }

  /** Waits until the notice is this. */
  told(words) {
    return this.page.locator("#notice").filter({ hasText: words }).waitFor();
  }

  /** The lines of the conversation, as they stand. */
  lines() {
    return this.log.getByRole("listitem").allInnerTexts();
  }
}

/** Plays a story; the process ends with 0 if it came to its end. */
export async function play(name, story) {
  const people = [];
  const late = setTimeout(() => fail(new Error("the story took too long"), people), STORY_MS);
  const pages = await serve();
  const input = createInterface({ input: process.stdin });
  console.log(pages.origin);
  const address = await new Promise((resolve, reject) => {
    input.once("line", resolve);
    input.once("close", () => reject(new Error("nobody named a server")));
  });
  // As root it runs without its sandbox: what it opens are our own pages.
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
  /** Opens the page of a dialect for somebody, in a browser profile of his own. */
  const open = async (page, query = {}) => {
    const context = await browser.newContext({ viewport: { width: 1000, height: 800 } });
    context.setDefaultTimeout(PATIENCE_MS);
    const tab = await context.newPage();
    const said = [];
    tab.on("console", (message) => said.push(message.text()));
    tab.on("pageerror", (error) => said.push(String(error)));
    const search = new URLSearchParams({ server: `http://${address}`, ...query });
    await tab.goto(`${pages.origin}/${page}.html?${search}`);
    const person = Object.assign(new Person(tab), { said });
    people.push(person);
    return person;
  };
  try {
    await story({ open, address });
    if (process.env.CHAT_TEST_SHOTS) {
      await people[0].page.screenshot({ path: `${process.env.CHAT_TEST_SHOTS}/${name}.png` });
    }
  } catch (error) {
    await fail(error, people);
  }
  clearTimeout(late);
  await browser.close();
  pages.close();
  input.close();
}

/** Says what went wrong and what was on the pages then, and ends. */
async function fail(error, people = []) {
  console.error(error);
  for (const [number, { page, said }] of people.entries()) {
    const shown = await page.locator("body").innerText({ timeout: 2_000 }).catch(String);
    console.error(`\n-- page ${number + 1}\n${shown}\n-- its console\n${said.join("\n")}`);
  }
  process.exit(1);
}
