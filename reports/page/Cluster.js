// The page's script for simulated clusters: moves the scrubbers through virtual time, by slider, buttons and marks.
// The page is complete without it: a scrubber then shows the last moment, and its table all of them.

/** @typedef {{ atMs: number[], zones: Array<{ name: string, nodes: number, ready: number[] }>, pods: Record<string, number[]>, phases: string[], cells: number }} State */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

/** @param {number} ms */
const clock = (ms) => {
  const seconds = Math.round(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const rest = `${String(minutes).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`
  return hours > 0 ? `${hours}:${rest}` : rest
}

/** @param {number} ready @param {number} nodes @param {number} most */
const lit = (ready, nodes, most) => {
  const cells = Math.min(nodes, most)
  if (ready <= 0 || nodes === 0) return 0
  if (ready >= nodes) return cells
  return Math.min(cells - 1, Math.max(1, Math.round((ready / nodes) * cells)))
}

const stepMs = 120

/** @param {HTMLElement} figure */
const scrub = (figure) => {
  /** @type {State} */
  const state = JSON.parse(document.getElementById(figure.dataset.state ?? "")?.textContent ?? "null")
  const slide = figure.querySelector("input[type=range]")
  const cursor = figure.querySelector(".cursor")
  const told = figure.querySelector(".moment-text")
  const play = figure.querySelector("[data-move=play]")
  if (state === null || !(slide instanceof HTMLInputElement) || cursor === null || told === null || play === null)
    return
  const zones = [...figure.querySelectorAll(".zones > li")].map((item) => ({
    count: item.querySelector(".count"),
    cells: [...item.querySelectorAll("rect")]
  }))
  const moments = /** @type {HTMLButtonElement[]} */ ([...figure.querySelectorAll(".moment")])
  const end = state.atMs.at(-1) ?? 1
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let playing

  /** @param {number} index */
  const show = (index) => {
    const ms = state.atMs[index] ?? 0
    for (const [at, zone] of state.zones.entries()) {
      const ready = zone.ready[index] ?? 0
      const count = zones[at]?.count
      if (count) count.textContent = `${whole.format(ready)} of ${whole.format(zone.nodes)} ready`
      const on = lit(ready, zone.nodes, state.cells)
      for (const [cell, square] of (zones[at]?.cells ?? []).entries()) {
        square.setAttribute("class", cell < on ? "on" : "off")
      }
    }
    const counts = state.phases.map((phase) => state.pods[phase]?.[index] ?? 0)
    const total = counts.reduce((sum, count) => sum + count, 0)
    for (const [at, phase] of state.phases.entries()) {
      const bar = figure.querySelector(`[data-bar="${phase}"]`)
      const text = figure.querySelector(`[data-phase="${phase}"]`)
      if (bar instanceof HTMLElement) bar.style.width = `${total === 0 ? 0 : ((counts[at] ?? 0) * 100) / total}%`
      if (text) text.textContent = whole.format(counts[at] ?? 0)
    }
    const x = String((ms / end) * 1000)
    cursor.setAttribute("x1", x)
    cursor.setAttribute("x2", x)
    const [ready, nodes] = [
      state.zones.reduce((sum, zone) => sum + (zone.ready[index] ?? 0), 0),
      state.zones.reduce((sum, zone) => sum + zone.nodes, 0)
    ]
    const running = state.pods["Running"]?.[index] ?? 0
    const words = `${clock(ms)}: ${whole.format(ready)} of ${whole.format(nodes)} nodes ready, ${whole.format(running)} of ${whole.format(total)} pods running`
    told.textContent = words
    slide.setAttribute("aria-valuetext", words)
    let current
    for (const moment of moments) {
      moment.removeAttribute("aria-current")
      if (Number(moment.dataset.at) <= ms) current = moment
    }
    current?.setAttribute("aria-current", "time")
  }

  /** The first sample that is not before a time. @param {number} ms */
  const sampleAt = (ms) => {
    const found = state.atMs.findIndex((at) => at >= ms)
    return found < 0 ? state.atMs.length - 1 : found
  }

  /** @param {number} index */
  const go = (index) => {
    slide.value = String(index)
    show(Number(slide.value))
  }

  const pause = () => {
    clearInterval(playing)
    playing = undefined
    play.textContent = "Play"
  }

  slide.addEventListener("input", () => {
    pause()
    show(Number(slide.value))
  })
  for (const moment of moments) {
    moment.addEventListener("click", () => {
      pause()
      go(sampleAt(Number(moment.dataset.at)))
    })
  }
  play.addEventListener("click", () => {
    if (playing !== undefined) return pause()
    if (Number(slide.value) === state.atMs.length - 1) go(0)
    play.textContent = "Pause"
    playing = setInterval(() => {
      const next = Number(slide.value) + 1
      if (next >= state.atMs.length) return pause()
      go(next)
    }, stepMs)
  })
  for (const [move, direction] of /** @type {const} */ ([
    ["previous", -1],
    ["next", 1]
  ])) {
    const button = figure.querySelector(`[data-move=${move}]`)
    button?.addEventListener("click", () => {
      pause()
      const here = Number(slide.value)
      const samples = moments.map((moment) => sampleAt(Number(moment.dataset.at)))
      const target = direction > 0 ? samples.find((at) => at > here) : samples.findLast((at) => at < here)
      go(target ?? (direction > 0 ? state.atMs.length - 1 : 0))
    })
  }
  if (moments.length === 0)
    for (const button of figure.querySelectorAll("[data-move=previous], [data-move=next]"))
      button.setAttribute("hidden", "")
}

for (const figure of document.querySelectorAll(".scrubber")) scrub(/** @type {HTMLElement} */ (figure))
