// The page's script: draws the charts, switches tabs and theme, marks the section in view.
// The page is complete without it: every chart's data stands in a table, every tab's panel is shown.

/** @typedef {{ name: string, slot: number, values: Array<number | null> }} Line */
/** @typedef {{ id: string, kind: "percentile" | "time" | "clock" | "scale", title: string, unit: string, x: number[], series: Line[], marks: Array<{ atS: number, text: string, slot: number }>, isLogarithmic?: boolean }} Chart */

const root = document.documentElement
// uPlot's type is an enum that exists at compile time only.
/** @type {any} */
const logarithmic = 3
/** @type {typeof import("uplot")} */
const uPlot = Reflect.get(globalThis, "uPlot")
/** @type {Record<string, Chart>} */
const charts = JSON.parse(document.getElementById("chart-data")?.textContent ?? "{}")
/** @type {Map<HTMLElement, import("uplot")>} */
const drawn = new Map()
const dashes = [[7, 4], [], [2, 3], [10, 3, 2, 3], [4, 2], [12, 4]]
root.classList.add("scripted")

/** @param {string} name @returns {string} */
const color = (name) => {
  const probe = document.createElement("i")
  probe.style.color = `var(--${name})`
  document.body.append(probe)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}

/** @param {number} value @param {number} [digits] */
const short = (value, digits = 3) =>
  new Intl.NumberFormat("en-US", { maximumSignificantDigits: digits, useGrouping: true }).format(value)

/** @param {number | null | undefined} value @param {string} unit */
const format = (value, unit) => {
  if (value === null || value === undefined) return "–"
  if (unit === "us") {
    if (value >= 1e6) return `${short(value / 1e6)} s`
    return value >= 1000 ? `${short(value / 1000)} ms` : `${short(value)} µs`
  }
  if (unit === "bytes") {
    const step = value < 1 ? 0 : Math.min(4, Math.floor(Math.log2(value) / 10))
    return `${short(value / 1024 ** step)} ${["B", "KiB", "MiB", "GiB", "TiB"][step]}`
  }
  if (unit === "ms") return format(value * 1000, "us")
  return unit === "%" ? `${short(value)} %` : short(value, 6)
}

/** Seconds of virtual time as a clock shows them. @param {number} seconds */
const clock = (seconds) => {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const rest = `${String(minutes).padStart(2, "0")}:${String(Math.round(seconds % 60)).padStart(2, "0")}`
  return hours > 0 ? `${hours}:${rest}` : rest
}

// On the axis of a latency curve equal steps are equal factors of the share that is slower still.
/** @param {number} percentile */
const depth = (percentile) => -Math.log10(1 - percentile / 100)
const namedPercentiles = [0, 50, 90, 99, 99.9, 99.99]
/** @param {number} percentile */
const percentileName = (percentile) =>
  percentile === 0 ? "min" : `p${Number(percentile.toFixed(percentile > 99 ? 3 : 1))}`

/** @param {Chart} chart @param {number} index */
const xName = (chart, index) => {
  const x = chart.x[index] ?? 0
  if (chart.kind === "clock") return `at ${clock(x)}`
  if (chart.kind === "scale") return `${short(x, 6)} nodes`
  return chart.kind === "time" ? `second ${x}` : percentileName(x)
}

/** The names of the x axis. @param {Chart} chart @param {number} tick */
const tickName = (chart, tick) =>
  chart.kind === "clock" ? clock(tick) : chart.kind === "scale" ? short(tick) : `${tick} s`

// Steps that a clock is read by: from seconds to days.
const clockSteps = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400]

// On a logarithmic axis lines at 1, 2 and 5 of every decade are enough to read by.
/** @param {number} low @param {number} high */
const decadeSplits = (low, high) => {
  const splits = []
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade++) {
    for (const lead of [1, 2, 5]) {
      const split = lead * 10 ** decade
      if (split >= low && split <= high) splits.push(split)
    }
  }
  return splits
}

const binarySteps = Array.from({ length: 44 }, (_, power) => 2 ** power)

/** @param {Chart} chart @param {string} ink @param {string} line @returns {import("uplot").Axis[]} */
const axesOf = (chart, ink, line) => {
  const look = {
    stroke: ink,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
    font: "12px system-ui, sans-serif"
  }
  const isCurve = chart.kind === "percentile"
  return [
    {
      ...look,
      size: 32,
      ...(isCurve
        ? { splits: () => namedPercentiles.map(depth), values: () => namedPercentiles.map(percentileName) }
        : {
            ...(chart.kind === "clock" ? { incrs: clockSteps } : {}),
            ...(chart.kind === "scale" ? { splits: () => chart.x, filter: (_, splits) => splits } : {}),
            values: (_, ticks) => ticks.map((tick) => tickName(chart, tick))
          })
    },
    {
      ...look,
      size: 76,
      ...(isCurve || chart.isLogarithmic
        ? { splits: (_, __, low, high) => decadeSplits(low, high), filter: (_, splits) => splits }
        : chart.unit === "bytes"
          ? { incrs: binarySteps }
          : {}),
      values: (_, ticks) => ticks.map((tick) => format(tick, chart.unit))
    }
  ]
}

const wordsMax = 3

/** @param {Chart} chart @param {string} ink */
const markLines = (chart, ink) => (/** @type {import("uplot")} */ plot) => {
  const { ctx } = plot
  ctx.save()
  ctx.fillStyle = ink
  ctx.lineWidth = devicePixelRatio
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio])
  const { height, left, top, width } = plot.bbox
  for (const [index, mark] of chart.marks.entries()) {
    const x = Math.round(plot.valToPos(mark.atS, "x", true))
    if (x > left + width) continue
    ctx.strokeStyle = color(`s${mark.slot % 6}`)
    ctx.beginPath()
    ctx.moveTo(x, top)
    ctx.lineTo(x, top + height)
    ctx.stroke()
    // Many words would cover the lines; they are read out beside the values instead.
    if (chart.marks.length > wordsMax) continue
    ctx.textAlign = x > left + width * 0.7 ? "right" : "left"
    ctx.fillText(
      mark.text,
      x + (ctx.textAlign === "left" ? 5 : -5) * devicePixelRatio,
      top + (12 + 13 * index) * devicePixelRatio
    )
  }
  ctx.restore()
}

/** @param {Chart} chart @param {number} low @param {number} high @returns {[number, number]} */
const xRange = (chart, low, high) =>
  chart.kind === "scale" ? [low * 0.9, high * 1.1] : chart.kind === "clock" ? [0, high] : [low, Math.max(high, low + 1)]

/** Whether a mark belongs to the sample at this place. @param {Chart} chart @param {number} atS @param {number} index */
const isMarkOf = (chart, atS, index) =>
  chart.kind === "clock"
    ? atS <= (chart.x[index] ?? 0) && atS > (chart.x[index - 1] ?? -1)
    : Math.floor(atS) === chart.x[index]

/** @param {HTMLElement} host */
const draw = (host) => {
  const chart = charts[host.dataset.chart ?? ""]
  if (chart === undefined || host.clientWidth === 0) return
  drawn.get(host)?.destroy()
  const isCurve = chart.kind === "percentile"
  const [ink, line] = [color("soft"), color("line")]
  const xs = isCurve ? chart.x.map(depth) : chart.x
  const readout = document.getElementById(`${chart.id}-readout`)
  const plot = new uPlot(
    {
      width: host.clientWidth,
      height: isCurve && host.closest("[role=tabpanel]") !== null ? 300 : 240,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: {
          time: false,
          ...(chart.kind === "scale" ? { distr: logarithmic } : {}),
          range: (_, low, high) => (isCurve ? [0, Math.max(high, 1)] : xRange(chart, low, high))
        },
        y:
          isCurve || chart.isLogarithmic
            ? { distr: logarithmic, range: (_, low, high) => [low * 0.8, high * 1.25] }
            : { range: (_, __, high) => [0, (high || 1) * 1.08] }
      },
      axes: axesOf(chart, ink, line),
      series: [
        {},
        ...chart.series.map(({ name, slot }) => ({
          label: name,
          stroke: color(`s${slot % 6}`),
          dash: dashes[slot % 6],
          width: 2,
          points: { show: false }
        }))
      ],
      hooks: {
        draw: [markLines(chart, ink)],
        setCursor: [
          (plot) => {
            const index = plot.cursor.idx
            if (readout === null || index === null || index === undefined) return
            const values = chart.series.map(({ name, values }) => `${name} ${format(values[index], chart.unit)}`)
            const marks = chart.marks.filter(({ atS }) => isMarkOf(chart, atS, index)).map(({ text }) => text)
            readout.textContent = `${xName(chart, index)}: ${[...values, ...marks].join(", ")}`
          }
        ]
      }
    },
    [xs, ...chart.series.map(({ values }) => (chart.isLogarithmic ? values.map((value) => value || null) : values))],
    host
  )
  drawn.set(host, plot)
}

const hosts = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".plotarea")])
const redraw = () => hosts.forEach(draw)

for (const host of hosts) {
  host.addEventListener("keydown", (event) => {
    const plot = drawn.get(host)
    const chart = charts[host.dataset.chart ?? ""]
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0
    if (plot === undefined || chart === undefined || step === 0) return
    event.preventDefault()
    const from = plot.cursor.idx ?? (step > 0 ? -1 : chart.x.length)
    const index = Math.max(0, Math.min(chart.x.length - 1, from + step))
    plot.setCursor({ left: plot.valToPos(plot.data[0][index] ?? 0, "x"), top: plot.over.clientHeight / 2 })
  })
  new ResizeObserver(() => {
    const plot = drawn.get(host)
    if (plot === undefined) draw(host)
    else if (host.clientWidth > 0 && host.clientWidth !== plot.width) {
      plot.setSize({ width: host.clientWidth, height: plot.height })
    }
  }).observe(host)
}

for (const list of document.querySelectorAll("[role=tablist]")) {
  const tabs = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=tab]")])
  /** @param {HTMLElement | undefined} chosen @param {boolean} focus */
  const select = (chosen, focus) => {
    for (const tab of tabs) {
      const isChosen = tab === chosen
      tab.setAttribute("aria-selected", String(isChosen))
      tab.tabIndex = isChosen ? 0 : -1
      document.getElementById(tab.getAttribute("aria-controls") ?? "")?.toggleAttribute("hidden", !isChosen)
    }
    if (focus) chosen?.focus()
  }
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener("click", () => select(tab, false))
    tab.addEventListener("keydown", (event) => {
      const last = tabs.length - 1
      const next = {
        ArrowRight: index === last ? 0 : index + 1,
        ArrowLeft: index === 0 ? last : index - 1,
        Home: 0,
        End: last
      }[event.key]
      if (next === undefined) return
      event.preventDefault()
      select(tabs[next], true)
    })
  }
  select(tabs[0], false)
}

// Regions that scroll must be reachable by keyboard; those that do not scroll need no stop.
const regions = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".scroll, nav ul, [role=tablist]")])
const reachable = new ResizeObserver(() => {
  for (const region of regions.filter((region) => region.matches(".scroll"))) {
    const scrolls = region.scrollWidth > region.clientWidth + 1 || region.scrollHeight > region.clientHeight + 1
    if (scrolls) region.tabIndex = 0
    else region.removeAttribute("tabindex")
  }
})
for (const region of regions) reachable.observe(region)

const toggle = document.getElementById("theme")
const themes = ["automatic", "light", "dark"]
const stored = () => {
  try {
    return localStorage.getItem("wharf-theme") ?? "automatic"
  } catch {
    return "automatic"
  }
}
/** @param {string} theme */
const show = (theme) => {
  if (theme === "automatic") delete root.dataset.theme
  else root.dataset.theme = theme
  if (toggle !== null) toggle.textContent = `Theme: ${theme}`
  redraw()
}
if (toggle !== null) {
  toggle.hidden = false
  toggle.addEventListener("click", () => {
    const theme = themes[(themes.indexOf(root.dataset.theme ?? "automatic") + 1) % themes.length] ?? "automatic"
    try {
      localStorage.setItem("wharf-theme", theme)
    } catch {
      // A page without storage forgets the choice, nothing else.
    }
    show(theme)
  })
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw)
show(themes.includes(stored()) ? stored() : "automatic")

for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.getAttribute("data-copy") ?? "")
    if (source === null) return
    try {
      await navigator.clipboard.writeText(source.textContent)
      button.textContent = "Copied"
    } catch {
      getSelection()?.selectAllChildren(source)
      button.textContent = "Selected"
    }
  })
}

// On paper everything is shown, so everything has to be drawn, in the light colours that the print style sets.
matchMedia("print").addEventListener("change", redraw)
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details.fold")) fold.setAttribute("open", "")
})

const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll("nav a")])
const inView = new IntersectionObserver(
  (entries) => {
    const entry = entries.find(({ isIntersecting }) => isIntersecting)
    if (entry === undefined) return
    for (const link of links) {
      if (link.hash === `#${entry.target.id}`) link.setAttribute("aria-current", "true")
      else link.removeAttribute("aria-current")
    }
  },
  { rootMargin: "-15% 0px -75% 0px" }
)
for (const section of document.querySelectorAll("main > section")) inView.observe(section)
