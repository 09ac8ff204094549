// The page in a real browser: offline, by keyboard, in light and dark, narrow and on paper.
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { type Browser, chromium, type Page } from "playwright-core"
import { groupByBackend, makeReport, renderHtml, renderJUnit } from "../../reports/index.ts"
import { syntheticCluster } from "./SyntheticCluster.ts"
import { syntheticRecord, syntheticRuns } from "./SyntheticRecord.ts"

const executablePath = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome"
].find((path) => path !== undefined && existsSync(path))

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

const short = { seconds: 6 }
const hostileText = `</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">`
const single = syntheticRecord(short)
const failing = {
  ...single,
  backend: { ...single.backend, name: hostileText },
  operations: single.operations.map((operation) => ({ ...operation, lost: 5, planned: operation.planned + 5 })),
  slos: single.slos.map((slo) => ({ ...slo, verdict: "fail" as const })),
  annotations: [{ kind: hostileText, text: hostileText, atMs: 10, durationMs: null }]
}
const reports = {
  single: makeReport(groupByBackend([single])),
  failing: makeReport(groupByBackend([failing])),
  cluster: makeReport(
    groupByBackend([
      syntheticCluster(),
      ...syntheticRuns(
        [
          { backend: "lmdb", speed: 3, ...short },
          { backend: "etcd", ...short }
        ],
        1
      )
    ])
  ),
  several: makeReport(
    groupByBackend(
      syntheticRuns(
        [
          { backend: "lmdb", speed: 3, ...short },
          { backend: "memory", speed: 4, durable: false, ...short },
          { backend: "etcd", ...short }
        ],
        3
      )
    )
  ),
  comparison: makeReport(
    groupByBackend(
      syntheticRuns(
        [
          { backend: "etcd", ...short },
          { backend: "lmdb", speed: 0.8, ...short }
        ],
        10
      )
    )
  )
}

interface Visit {
  readonly page: Page
  readonly trouble: Array<string>
  readonly requests: Array<string>
}

/** What is measured inside the page; kept as text because it runs there. */
const contrastProbe = `(() => {
  const channel = (value) => { const c = value / 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4 }
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
  const rgba = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1] }
  const backgroundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor)
      if (color[3] > 0) return color
    }
    return [255, 255, 255, 1]
  }
  const ratio = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05) }
  const low = []
  let checked = 0
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement
    if (!node.textContent.trim() || element.closest("script, style") || !element.checkVisibility()) continue
    checked++
    const found = ratio(rgba(getComputedStyle(element).color), backgroundOf(element))
    if (found < 4.5) low.push(found.toFixed(2) + " " + element.tagName + "." + element.className + " " + node.textContent.trim().slice(0, 40))
  }
  return { checked, low: [...new Set(low)] }
})()`

/** The elements that a keyboard must reach now, in document order, each marked with its number. */
const markProbe = `(() => {
  const all = [...document.querySelectorAll("a[href], button, summary, input, select, textarea, [tabindex]")]
  const wanted = all.filter((element) => element.tabIndex >= 0 && element.checkVisibility())
  wanted.forEach((element, index) => { element.dataset.stop = index })
  return wanted.map((element) => element.outerHTML.slice(0, 120))
})()`

const focusProbe = `(() => {
  const element = document.activeElement
  const { outlineStyle, outlineWidth } = getComputedStyle(element)
  return { stop: element.dataset.stop, ring: outlineStyle !== "none" && parseFloat(outlineWidth) > 0 }
})()`

if (executablePath === undefined) {
  it("needs chromium", (context) => {
    const message = "chromium is missing: apt-get install chromium, or set CHROMIUM to its path"
    if (process.env.CI === "true") throw new Error(message)
    process.stderr.write(`skipped: ${message}\n`)
    context.skip(message)
  })
} else {
  describe("the page in Chromium", () => {
    const folder = mkdtempSync(join(tmpdir(), "wharf-page-"))
    let browser: Browser

    beforeAll(async () => {
      for (const [name, report] of Object.entries(reports))
        writeFileSync(join(folder, `${name}.html`), renderHtml(report))
      browser = await chromium.launch({ executablePath, args: flags })
    })

    afterAll(async () => {
      await browser.close()
      rmSync(folder, { recursive: true })
    })

    const visit = async (
      name: keyof typeof reports,
      options: { readonly scheme?: "light" | "dark"; readonly width?: number } = {}
    ): Promise<Visit> => {
      const context = await browser.newContext({
        viewport: { width: options.width ?? 1280, height: 900 },
        colorScheme: options.scheme ?? "light",
        offline: true
      })
      const page = await context.newPage()
      const trouble: Array<string> = []
      const requests: Array<string> = []
      page.on("console", (message) => trouble.push(`${message.type()}: ${message.text()}`))
      page.on("pageerror", (error) => trouble.push(error.message))
      page.on("request", (request) => requests.push(request.url()))
      await page.goto(pathToFileURL(join(folder, `${name}.html`)).href)
      await page.locator(".plotarea canvas").first().waitFor()
      return { page, trouble, requests }
    }

    for (const name of Object.keys(reports) as Array<keyof typeof reports>) {
      it(`${name}: renders offline, complete, and without a console message`, async () => {
        const { page, requests, trouble } = await visit(name)
        assert.deepStrictEqual(trouble, [])
        assert.deepStrictEqual(
          requests.filter((url) => !url.startsWith("data:")).map((url) => url.replace(/.*\//, "")),
          [`${name}.html`]
        )
        assert.isUndefined(await page.evaluate("window.hacked"))
        assert.strictEqual(await page.locator("table:not(:has(> caption))").count(), 0)
        assert.isAbove(await page.locator("table > caption").count(), 5)
        assert.strictEqual(await page.locator("main").count(), 1)
        assert.strictEqual(await page.locator("h1").count(), 1)
        const ids = await page.evaluate<ReadonlyArray<string>>(
          `[...document.querySelectorAll("[id]")].map((e) => e.id)`
        )
        assert.strictEqual(new Set(ids).size, ids.length)
        const dangling = await page.evaluate(
          `[...document.querySelectorAll("[aria-labelledby], [aria-controls], [aria-describedby]")].filter((e) =>
            ["aria-labelledby", "aria-controls", "aria-describedby"].some((a) => e.hasAttribute(a) && !document.getElementById(e.getAttribute(a)))).length`
        )
        assert.strictEqual(dangling, 0)
        await page.context().close()
      })
    }

    it("answers on the first screen", async () => {
      const { page } = await visit("comparison")
      const cards = page.locator("#overview .card")
      assert.strictEqual(await cards.count(), 3)
      for (const card of await cards.all()) {
        const box = await card.boundingBox()
        assert.isTrue(box !== null && box.y + box.height <= 900)
      }
      assert.match((await cards.nth(0).innerText()).replace(/\s+/g, " "), /^Valid\? ✓ Yes, 20 runs/)
      assert.match((await cards.nth(1).innerText()).replace(/\s+/g, " "), /^Passed\? ✓ Yes, 2 of 2 targets/)
      assert.match((await cards.nth(2).innerText()).replace(/\s+/g, " "), /lmdb against etcd .*0\.\d+× the throughput/)
      await page.context().close()
    })

    it("lets the keyboard reach every interactive element, with a visible ring", async () => {
      for (const name of ["single", "comparison", "cluster"] as const) {
        const { page } = await visit(name)
        const wanted = await page.evaluate<ReadonlyArray<string>>(markProbe)
        const reached = new Set<string>()
        for (let press = 0; press < wanted.length + 5; press++) {
          await page.keyboard.press("Tab")
          const { ring, stop } = await page.evaluate<{ stop?: string; ring: boolean }>(focusProbe)
          if (stop === undefined) continue
          reached.add(stop)
          assert.isTrue(ring, `no focus ring on ${wanted[Number(stop)]}`)
        }
        const missed = wanted.filter((_, index) => !reached.has(String(index)))
        assert.deepStrictEqual(missed, [], name)
        await page.context().close()
      }
    })

    it("skips to the report, walks the tabs by arrow keys, and reads charts by arrow keys", async () => {
      const { page, trouble } = await visit("single")
      await page.keyboard.press("Tab")
      await page.keyboard.press("Enter")
      assert.strictEqual(await page.evaluate("document.activeElement.id"), "main")
      const tabs = page.locator("[role=tab]")
      await tabs.first().focus()
      for (let index = 0; index < (await tabs.count()); index++) {
        const tab = tabs.nth(index)
        assert.strictEqual(await tab.getAttribute("aria-selected"), "true")
        const panel = page.locator(`#${await tab.getAttribute("aria-controls")}`)
        assert.isTrue(await panel.isVisible())
        await panel.locator("canvas").first().waitFor()
        const area = panel.locator(".plotarea").first()
        await area.focus()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowRight")
        const readout = await panel.locator(".readout").first().innerText()
        assert.match(readout, /^p[\d.]+: lmdb [\d.,]+ (µs|ms)$/)
        await tab.focus()
        await page.keyboard.press("ArrowRight")
      }
      assert.strictEqual(
        await tabs.first().getAttribute("aria-selected"),
        "true",
        "the last tab leads back to the first"
      )
      await page.keyboard.press("End")
      assert.strictEqual(await tabs.last().getAttribute("aria-selected"), "true")
      assert.deepStrictEqual(trouble, [])
      await page.context().close()
    })

    it("moves through a cluster's time by keyboard, says what is there, and leads to each fault", async () => {
      const { page, trouble } = await visit("cluster")
      const slide = page.locator(".scrubber input[type=range]")
      const told = page.locator(".moment-text")
      const lit = () => page.locator(".zones li:nth-child(2) rect.on").count()
      assert.match(await told.innerText(), /^2:00:00: 1,267 of 1,267 nodes ready, 2,990 of 3,112 pods running$/)
      await slide.focus()
      await page.keyboard.press("Home")
      assert.match(await told.innerText(), /^01:00: /)
      await page.keyboard.press("ArrowRight")
      assert.match(await told.innerText(), /^02:00: /)
      assert.strictEqual(await slide.getAttribute("aria-valuetext"), await told.innerText())
      assert.strictEqual(await lit(), 33)
      await page.locator("[data-move=next]").focus()
      await page.keyboard.press("Enter")
      await slide.focus()
      await page.keyboard.press("ArrowRight")
      await page.keyboard.press("ArrowRight")
      assert.match(await told.innerText(), /1,234 of 1,267 nodes ready, 2,100 of/)
      assert.strictEqual(await lit(), 0)
      assert.strictEqual(await page.locator(".zones li:nth-child(2) .count").innerText(), "0 of 33 ready")
      assert.match(await page.locator(".moment[aria-current]").innerText(), /zone-b dies/)
      await page.locator(".moment").nth(1).focus()
      await page.keyboard.press("Enter")
      assert.match(await told.innerText(), /^1:30:00: /)
      assert.match(await page.locator(".moment[aria-current]").innerText(), /rolling update of web/)
      await page.locator("[data-move=play]").click()
      await told.filter({ hasText: /^1:3[1-9]|^1:[45]|^2:/ }).waitFor()
      await page.locator("[data-move=play]").click()
      assert.strictEqual(await page.locator("[data-move=play]").innerText(), "Play")
      assert.deepStrictEqual(trouble, [])
      await page.context().close()
    })

    it("draws a cluster's charts on a clock and on a scale of sizes", async () => {
      const { page } = await visit("cluster")
      const readout = async (chart: string) => {
        const area = page.locator(`[data-chart="${chart}"]`)
        await area.scrollIntoViewIfNeeded()
        await area.focus()
        await page.keyboard.press("ArrowRight")
        return page.locator(`#${chart}-readout`).innerText()
      }
      assert.match(await readout("objects-over-time-sim"), /^at 01:00: pods 3,000, nodes 1,267/)
      assert.match(await readout("cost-time-sim"), /^100 nodes: measured 400 µs$/)
      await page.context().close()
    })

    for (const scheme of ["light", "dark"] as const) {
      it(`has a contrast of at least 4.5 in ${scheme}, by system setting and by the button`, async () => {
        for (const name of ["failing", "several", "cluster"] as const) {
          const { page } = await visit(name, { scheme })
          await page.evaluate(`for (const d of document.querySelectorAll("details")) d.open = true`)
          const set = await page.evaluate<{ checked: number; low: ReadonlyArray<string> }>(contrastProbe)
          assert.isAbove(set.checked, 300)
          assert.deepStrictEqual(set.low, [], name)
          const before = await page.evaluate("getComputedStyle(document.body).backgroundColor")
          const button = page.locator("#theme")
          const other = scheme === "light" ? "dark" : "light"
          while ((await button.innerText()) !== `Theme: ${other}`) await button.click()
          assert.notStrictEqual(await page.evaluate("getComputedStyle(document.body).backgroundColor"), before)
          assert.deepStrictEqual(
            (await page.evaluate<typeof set>(contrastProbe)).low,
            [],
            `${name}, switched to ${other}`
          )
          await page.context().close()
        }
      })
    }

    it("keeps to a window of 400 pixels", async () => {
      for (const name of ["failing", "comparison", "cluster"] as const) {
        const { page } = await visit(name, { width: 400 })
        assert.strictEqual(await page.evaluate("document.documentElement.scrollWidth"), 400, name)
        await page.context().close()
      }
    })

    it("prints everything in light colours", async () => {
      const { page, trouble } = await visit("comparison", { scheme: "dark" })
      await page.emulateMedia({ media: "print" })
      for (const area of await page.locator(".plotarea").all()) await area.locator("canvas").waitFor()
      assert.strictEqual(await page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
      for (const panel of await page.locator("[role=tabpanel]").all()) assert.isTrue(await panel.isVisible())
      assert.isFalse(await page.locator("nav").isVisible())
      assert.isAbove((await page.pdf({ format: "A4" })).length, 10_000)
      assert.deepStrictEqual(trouble, [])
      await page.context().close()
    })

    it("is complete without its script", async () => {
      const context = await browser.newContext({ javaScriptEnabled: false, offline: true })
      const page = await context.newPage()
      await page.goto(pathToFileURL(join(folder, "single.html")).href)
      for (const panel of await page.locator("[role=tabpanel]").all()) assert.isTrue(await panel.isVisible())
      assert.isAbove(await page.locator(".chart details table").count(), 10)
      await context.close()
    })

    it("writes JUnit that an XML parser accepts", async () => {
      const context = await browser.newContext({ offline: true })
      const page = await context.newPage()
      for (const report of Object.values(reports)) {
        const parsed = await page.evaluate<{ error: number; cases: number; tests: string | null }>(`(() => {
          const xml = new DOMParser().parseFromString(${JSON.stringify(renderJUnit(report))}, "application/xml")
          return {
            error: xml.querySelectorAll("parsererror").length,
            cases: xml.querySelectorAll("testsuites > testsuite > testcase").length,
            tests: xml.documentElement.getAttribute("tests")
          }
        })()`)
        assert.strictEqual(parsed.error, 0)
        assert.strictEqual(String(parsed.cases), parsed.tests)
      }
      await context.close()
    })
  })
}
