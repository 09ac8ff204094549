// How numbers are written for people: durations, sizes, rates, ratios, in one way on every page and terminal.
// Owns no layout. Three significant digits, because the histograms hold no more.

import type { MetricUnit } from "./Metrics.ts"

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

/** Shown where nothing was measured. */
export const nothing = "–"

const digits = (value: number): string => {
  const size = Math.abs(value)
  return size >= 1000
    ? grouped.format(value)
    : size >= 100
      ? value.toFixed(0)
      : size >= 10
        ? value.toFixed(1)
        : value.toFixed(2)
}

/** A whole number with thousands separated. */
export const formatCount = (count: number): string => grouped.format(count)

/** Microseconds in the unit that suits their size. */
export const formatUs = (us: number | null): string => {
  if (us === null) return nothing
  if (us >= 1e6) return `${digits(us / 1e6)} s`
  return us >= 1000 ? `${digits(us / 1000)} ms` : `${digits(us)} µs`
}

/** Calls per second, without a unit. */
export const formatRate = (perSecond: number | null): string =>
  perSecond === null ? nothing : perSecond >= 100 ? grouped.format(perSecond) : digits(perSecond)

/** Bytes in binary units. */
export const formatBytes = (bytes: number | null): string => {
  if (bytes === null) return nothing
  const units = ["B", "KiB", "MiB", "GiB", "TiB"]
  const step = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  return step === 0 ? `${bytes} B` : `${digits(bytes / 1024 ** step)} ${units[step]}`
}

/** Per cent, with more digits near 100, where they matter. */
export const formatPercent = (percent: number | null): string =>
  percent === null
    ? nothing
    : percent === 100 || percent === 0
      ? `${percent} %`
      : `${percent.toFixed(percent > 99 ? 3 : 1)} %`

/** A ratio as a factor. */
export const formatRatio = (ratio: number | null): string => (ratio === null ? nothing : `${ratio.toPrecision(3)}×`)

/** A p-value; small ones as a bound. */
export const formatP = (p: number | null): string => (p === null ? nothing : p < 0.001 ? "< 0.001" : p.toFixed(3))

/** A metric's value in its unit. */
export const formatMetric = (value: number | null, unit: MetricUnit): string => {
  if (value === null) return nothing
  if (unit === "count") return digits(value)
  if (unit === "ops/s") return `${formatRate(value)}/s`
  if (unit === "bytes") return formatBytes(value)
  return unit === "%" ? formatPercent(value) : formatUs(value)
}

/** "1 run", "2 runs". */
export const formatPlural = (count: number, noun: string): string =>
  `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`

/** How many times as fast: "166×", "2.4×". */
export const formatTimes = (times: number): string => `${times >= 100 ? grouped.format(times) : digits(times)}×`

/** Virtual time as hours, minutes and seconds: "1:30:00", "05:12". */
export const formatClock = (ms: number): string => {
  const seconds = Math.round(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const rest = `${String(minutes).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`
  return hours > 0 ? `${hours}:${rest}` : rest
}

/** A span of virtual time in words: "30 min", "24 h". */
export const formatVirtual = (ms: number): string => {
  if (ms >= 2 * 3_600_000) return `${digits(ms / 3_600_000).replace(/\.?0+$/, "")} h`
  return ms >= 120_000 ? `${digits(ms / 60_000).replace(/\.?0+$/, "")} min` : `${digits(ms / 1000)} s`
}
