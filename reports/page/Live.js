// The script of a run that is still going: hears the server's events, shows the newest state, and loads the finished page at the end.
// It keeps nothing: whoever comes late or comes back sees the same.

/** @typedef {{ virtualMs: number, durationMs: number, wallMs: number, speed: number, zones: Array<{ name: string, nodes: number, ready: number }>, pods: Record<string, number>, residentBytes: number, violations: number, marks: Array<{ kind: string, text: string, atMs: number }> }} LiveCluster */
/** @typedef {{ step: string, lines: string[], cluster?: LiveCluster, done: boolean }} LiveState */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })
const cellsMax = 100
const columns = 20
const drawing = "http://www.w3.org/2000/svg"

/** @param {number} ms */
const clock = (ms) => {
  const seconds = Math.round(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const rest = `${String(minutes).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`
  return hours > 0 ? `${hours}:${rest}` : rest
}

/** @param {string} id @param {string} text */
const write = (id, text) => {
  const element = document.getElementById(id)
  if (element !== null && element.textContent !== text) element.textContent = text
}

/** @param {{ name: string, nodes: number }} zone */
const zoneItem = ({ name, nodes }) => {
  const item = document.createElement("li")
  const words = document.createElement("p")
  words.className = "zone"
  const strong = document.createElement("strong")
  strong.textContent = name
  const count = document.createElement("span")
  count.className = "count"
  words.append(strong, " ", count)
  const cells = Math.min(nodes, cellsMax)
  const [width, height] = [columns * 11 - 2, Math.ceil(cells / columns) * 11]
  const square = document.createElementNS(drawing, "svg")
  square.setAttribute("class", "waffle")
  square.setAttribute("viewBox", `0 0 ${width} ${height}`)
  square.setAttribute("width", String(width))
  square.setAttribute("aria-hidden", "true")
  for (let cell = 0; cell < cells; cell++) {
    const rect = document.createElementNS(drawing, "rect")
    const place = { x: (cell % columns) * 11, y: Math.floor(cell / columns) * 11, width: 9, height: 9, rx: 2 }
    for (const [key, value] of Object.entries(place)) rect.setAttribute(key, String(value))
    square.append(rect)
  }
  item.append(words, square)
  return item
}

/** @param {LiveCluster["zones"]} zones */
const showZones = (zones) => {
  const list = document.getElementById("zones")
  if (list === null) return
  if (list.children.length !== zones.length) list.replaceChildren(...zones.map(zoneItem))
  for (const [at, { nodes, ready }] of zones.entries()) {
    const item = list.children[at]
    const count = item?.querySelector(".count")
    if (count) count.textContent = `${whole.format(ready)} of ${whole.format(nodes)} ready`
    const cells = [...(item?.querySelectorAll("rect") ?? [])]
    const share = ready >= nodes ? cells.length : Math.min(cells.length - 1, Math.round((ready / nodes) * cells.length))
    for (const [cell, rect] of cells.entries()) rect.setAttribute("class", cell < share ? "on" : "off")
  }
}

/** @param {LiveCluster | undefined} cluster */
const showCluster = (cluster) => {
  document.getElementById("live-cluster")?.toggleAttribute("hidden", cluster === undefined)
  if (cluster === undefined) return
  showZones(cluster.zones)
  const total = Object.values(cluster.pods).reduce((sum, count) => sum + count, 0)
  for (const [phase, count] of Object.entries(cluster.pods)) {
    const bar = document.querySelector(`[data-bar="${CSS.escape(phase)}"]`)
    const text = document.querySelector(`[data-phase="${CSS.escape(phase)}"]`)
    if (bar instanceof HTMLElement) bar.style.width = `${total === 0 ? 0 : (count * 100) / total}%`
    if (text) text.textContent = whole.format(count)
  }
  const progress = /** @type {HTMLProgressElement | null} */ (document.getElementById("progress"))
  if (progress) progress.value = cluster.virtualMs / cluster.durationMs
  write(
    "clock",
    `${clock(cluster.virtualMs)} of ${clock(cluster.durationMs)}, after ${clock(cluster.wallMs)} of real time`
  )
  write("speed", `${cluster.speed >= 10 ? whole.format(cluster.speed) : cluster.speed.toFixed(1)}× real time`)
  write("memory", `${whole.format(cluster.residentBytes / 2 ** 20)} MiB`)
  write("violations", cluster.violations === 0 ? "none" : whole.format(cluster.violations))
  const marks = cluster.marks.map(({ atMs, kind, text }) => {
    const item = document.createElement("li")
    item.textContent = `${clock(atMs)} ${kind}: ${text}`
    return item
  })
  document.getElementById("marks")?.replaceChildren(...marks)
}

/** @param {LiveState} state */
const show = (state) => {
  write("step", state.step)
  showCluster(state.cluster)
  const list = document.getElementById("lines")
  if (list === null) return
  const shown = [...list.children].map((item) => item.textContent)
  if (shown.length > state.lines.length || shown.some((line, at) => line !== state.lines[at])) list.replaceChildren()
  for (const line of state.lines.slice(list.children.length)) {
    const item = document.createElement("li")
    item.textContent = line
    list.append(item)
  }
}

const events = new EventSource("/events")
events.addEventListener("message", ({ data }) => {
  /** @type {LiveState} */
  const state = JSON.parse(data)
  write("status", state.done ? "finished" : "running")
  show(state)
  if (!state.done) return
  events.close()
  location.reload()
})
events.addEventListener("error", () => write("status", "waiting for the run"))
