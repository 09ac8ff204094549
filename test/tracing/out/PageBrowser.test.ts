// The page in a real browser: offline, by keyboard, in light and dark, narrow and wide, and safe from what clusters say.
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { type Browser, chromium, type Page } from "playwright-core"
import { served } from "./Served.ts"
import { deploymentStory, key, MINUTE, SECOND, Standing, START_US } from "./Story.ts"

const executablePath = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome"
].find((path) => path !== undefined && existsSync(path))
/** Pictures for people, when a folder is named. */
const pictures = process.env["TRACING_PICTURES"]
const hostile = `</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">`

const told = () => {
  const { pods, story, web } = deploymentStory()
  const set = key("replicasets", "web-5d4f")
  const version = (size: number) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "shop", resourceVersion: String(size) },
    spec: { replicas: size, template: { spec: { containers: [{ name: "app", image: `web:${size}` }] } } }
  })
  story.snapshot(web, START_US, 3, version(3), { source: "audit" })
  story.audit(web, START_US + 20 * SECOND, "patch", {
    username: hostile,
    resourceVersion: "3",
    newResourceVersion: "4",
    fieldManager: "helm"
  })
  story.snapshot(web, START_US + 20 * SECOND, 4, version(4), { source: "audit" })
  story.audit(web, START_US + 25 * SECOND, "update", { code: 409, reason: "Conflict", message: hostile })
  story.event(set, START_US + SECOND, "SuccessfulCreate", "Created pod: web-5d4f-a", {
    controller: "replicaset-controller"
  })
  const message = `0/2 nodes are available: 2 Insufficient cpu. ${hostile}`
  story.event(pods[2], START_US + 2 * MINUTE, "FailedScheduling", message, { type: "Warning", count: 5 })
  return story.store()
}

describe("the page", () => {
  let browser: Browser
  let scope: Scope.Closeable
  let url: string
  beforeAll(async () => {
    if (executablePath === undefined) throw new Error("needs a browser: apt-get install chromium")
    const args = [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking"
    ]
    browser = await chromium.launch({ executablePath, args })
    scope = Scope.makeUnsafe()
    const clockwork = new Standing(START_US + 5 * MINUTE)
    ;({ url } = await Effect.runPromise(Scope.provide(served(told(), { clockwork }), scope)))
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    if (scope !== undefined) await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  const visit = async (
    path: string,
    check: (page: Page) => Promise<void>,
    { dark = false, width = 1280 }: { readonly dark?: boolean; readonly width?: number } = {}
  ): Promise<void> => {
    const context = await browser.newContext({ colorScheme: dark ? "dark" : "light", viewport: { width, height: 900 } })
    const page = await context.newPage()
    const troubles: Array<string> = []
    page.on("pageerror", (error) => troubles.push(String(error)))
    page.on("console", (message) => message.type() === "error" && troubles.push(message.text()))
    page.on("request", (request) => request.url().startsWith(url) || troubles.push(`asked for ${request.url()}`))
    await page.goto(`${url}${path}`)
    await check(page)
    assert.isUndefined(await page.evaluate("window.hacked"))
    assert.isTrue(
      await page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
      "it is wider than the window"
    )
    assert.deepStrictEqual(troubles, [])
    await context.close()
  }

  const picture = async (page: Page, name: string): Promise<void> => {
    if (pictures === undefined) return
    mkdirSync(pictures, { recursive: true })
    await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
  }

  const web = "/object?resource=deployments.apps&namespace=shop&name=web"

  it("says first what is stuck, and leads to it", () =>
    visit("/", async (page) => {
      await picture(page, "home")
      const [answer] = await page.locator(".answers > li").allInnerTexts()
      assert.match(
        answer,
        /^Not scheduled\. Pod shop\/web-5d4f-c has waited 4m59s for a node: 0\/2 nodes are available/
      )
      await page.locator(".answers a").last().click()
      await page.waitForURL(/\/object\?.*#s-/)
      assert.match(await page.locator(":target summary").first().innerText(), /FailedScheduling/)
      await picture(page, "evidence")
    }))

  it("shows an object with the answer at the top, its tree and what changed", () =>
    visit(web, async (page) => {
      await picture(page, "object")
      assert.match(await page.locator("h1").innerText(), /^Deployment shop\/web in main$/)
      assert.isTrue(
        await page.evaluate(
          "document.querySelector('.answers').getBoundingClientRect().top < document.querySelector('.tree').getBoundingClientRect().top"
        )
      )
      const names = await page
        .locator(".tree > li > details > ul > li > details > ul > li > details > summary .name")
        .allInnerTexts()
      assert.strictEqual(names.length, 3)
      assert.include(await page.locator("del").allInnerTexts(), "3")
      assert.include(await page.locator("ins").allInnerTexts(), "4")
      assert.include(await page.content(), "&lt;/script&gt;&lt;script&gt;window.hacked=1")
    }))

  it("is worked by keys alone", () =>
    visit(web, async (page) => {
      await page.keyboard.press("j")
      await page.keyboard.press("j")
      const name = () => page.evaluate("document.activeElement.querySelector('.name')?.innerText ?? ''")
      const second = await name()
      await page.keyboard.press("k")
      assert.notStrictEqual(await name(), second)
      await page.keyboard.press("c")
      assert.strictEqual(await page.locator(".tree details[open]").count(), 0)
      await page.keyboard.press("e")
      assert.isAbove(await page.locator(".tree details[open]").count(), 5)
      await page.keyboard.press("/")
      assert.strictEqual(await page.evaluate("document.activeElement.name"), "what")
      await page.keyboard.press("Control+a")
      await page.keyboard.type("pod/web-5d4f-c")
      await page.keyboard.press("Enter")
      await page.waitForURL(/what=/)
      assert.strictEqual(await page.locator("tbody tr").count(), 1)
      await page.keyboard.press("Tab")
      assert.match(
        await page.evaluate("document.activeElement.className + document.activeElement.tagName"),
        /skip|A|INPUT/
      )
    }))

  it("finds by a part of a name, by namespace and by who changed it", async () => {
    const rows = async (path: string): Promise<number> => {
      let count = 0
      await visit(path, async (page) => {
        count = await page.locator("tbody tr").count()
      })
      return count
    }
    assert.strictEqual(await rows("/?what=5d4f"), 4)
    assert.strictEqual(await rows("/?what=pod/shop/web-5d4f-a"), 1)
    assert.strictEqual(await rows("/?namespace=shop"), 5)
    assert.strictEqual(await rows("/?user=ana"), 1)
    assert.strictEqual(await rows("/?what=nothing"), 0)
  })

  it("keeps its words legible in light and dark, and its place when narrow", async () => {
    const contrast = `(() => {
      const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
      const light = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
      const ground = (one) => { for (; one !== null; one = one.parentElement) { const c = parse(getComputedStyle(one).backgroundColor); if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
      let worst = 99; let where = "";
      for (const one of document.querySelectorAll("body *")) {
        if (one.offsetParent === null || ![...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "")) continue;
        const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < worst) { worst = ratio; where = one.outerHTML.slice(0, 80); }
      }
      return [worst, where];
    })()`
    for (const dark of [false, true]) {
      for (const path of ["/", web]) {
        await visit(
          path,
          async (page) => {
            const [worst, where] = await page.evaluate<readonly [number, string]>(contrast)
            assert.isAtLeast(worst, 4.5, where)
            if (dark) await picture(page, path === "/" ? "home-dark" : "object-dark")
          },
          { dark }
        )
      }
    }
    await visit(web, (page) => picture(page, "object-narrow"), { width: 400 })
  })

  it("names everything that can be reached, and has one heading of the first level", () =>
    visit(web, async (page) => {
      assert.strictEqual(await page.locator("h1").count(), 1)
      assert.strictEqual(await page.locator("html[lang]").count(), 1)
      const unnamed = await page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]),select,button,a,summary')].filter((one) => (one.labels?.length ?? 0) === 0 && one.textContent.trim() === '' && !one.ariaLabel).length"
      )
      assert.strictEqual(unnamed, 0)
    }))

  it("says so when nothing is known or a request is not understood", async () => {
    const status = async (path: string): Promise<number> => (await fetch(`${url}${path}`)).status
    assert.strictEqual(await status("/object?resource=pods&name=none"), 404)
    assert.strictEqual(await status("/object?name=none"), 400)
    assert.strictEqual(await status("/trace/ff20000000e1e3e70000000000000000"), 404)
    assert.strictEqual(await status("/%ff"), 400)
  })
})
