// Prometheus' text format, read strictly: what a scraper would refuse is an error here.
// Owns the syntax and the quantiles of histograms; knows no metric by name.
// Source: the exposition format 0.0.4 as `promtool check metrics` judges it.

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const nameRule = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const sampleRule = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)( -?\d+)?$/
const labelRule = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y

const parseLabels = (text: string, line: string): Readonly<Record<string, string>> => {
  const labels: Record<string, string> = {}
  labelRule.lastIndex = 0
  while (labelRule.lastIndex < text.length) {
    const match = labelRule.exec(text)
    if (match === null) throw new Error(`labels are not well-formed: ${line}`)
    if (match[1] in labels) throw new Error(`a label comes twice: ${line}`)
    labels[match[1]] = match[2]
  }
  return labels
}

const parseValue = (text: string, line: string): number => {
  const value = text === "+Inf" ? Number.POSITIVE_INFINITY : text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text)
  if (Number.isNaN(value) && text !== "NaN") throw new Error(`the value is no number: ${line}`)
  return value
}

/** All samples of a page, in order. */
export const parsePrometheus = (page: string): ReadonlyArray<Sample> =>
  page
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const match = sampleRule.exec(line)
      if (match === null) throw new Error(`no sample: ${line}`)
      const [, name, labels = "", value] = match
      return { name, labels: parseLabels(labels, line), value: parseValue(value, line) }
    })

/** What a linter of metrics would say of a page; empty when it is in order. */
export const lintPrometheus = (page: string): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const kinds = new Map<string, string>()
  for (const line of page.split("\n").filter((text) => text.startsWith("# TYPE "))) {
    const [, , name, kind] = line.split(" ")
    if (kinds.has(name)) problems.push(`${name} is declared twice`)
    if (!nameRule.test(name)) problems.push(`${name} is no metric name`)
    if (!["counter", "gauge", "histogram", "summary"].includes(kind)) problems.push(`${name}: unknown type ${kind}`)
    if (!page.includes(`# HELP ${name} `)) problems.push(`${name} has no help`)
    kinds.set(name, kind)
  }
  const seen = new Set<string>()
  for (const { labels, name } of parsePrometheus(page)) {
    const family = kinds.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "")
    if (!kinds.has(family)) problems.push(`${name} has no type`)
    const key = name + JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
    if (seen.has(key)) problems.push(`${key} comes twice`)
    seen.add(key)
  }
  if (!page.endsWith("\n")) problems.push("the last line does not end")
  return [...problems, ...lintHistograms(page, kinds)]
}

const lintHistograms = (page: string, kinds: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const samples = parsePrometheus(page)
  return [...kinds]
    .filter(([, kind]) => kind === "histogram")
    .flatMap(([name]) => {
      const buckets = samples.filter((sample) => sample.name === `${name}_bucket`)
      const count = samples.find((sample) => sample.name === `${name}_count`)?.value
      const growing = buckets.every(({ value }, at) => at === 0 || value >= buckets[at - 1].value)
      const last = buckets.at(-1)
      if (last === undefined || last.labels["le"] !== "+Inf") return [`${name} does not end at +Inf`]
      return growing && last.value === count ? [] : [`${name}: buckets do not add up`]
    })
}

/** The sum of all samples of a name whose labels are as given. */
export const total = (
  samples: ReadonlyArray<Sample>,
  name: string,
  labels: Readonly<Record<string, string>> = {}
): number =>
  samples
    .filter((sample) => sample.name === name && Object.entries(labels).every(([key, is]) => sample.labels[key] === is))
    .reduce((sum, { value }) => sum + value, 0)

/** A quantile of a histogram, summed over all labels but the given ones, as Prometheus interpolates it; NaN when empty. */
export const quantile = (
  samples: ReadonlyArray<Sample>,
  name: string,
  labels: Readonly<Record<string, string>>,
  q: number
): number => {
  const buckets = new Map<number, number>()
  for (const sample of samples) {
    if (sample.name !== `${name}_bucket`) continue
    if (!Object.entries(labels).every(([key, is]) => sample.labels[key] === is)) continue
    const bound = sample.labels["le"] === "+Inf" ? Number.POSITIVE_INFINITY : Number(sample.labels["le"])
    buckets.set(bound, (buckets.get(bound) ?? 0) + sample.value)
  }
  const sorted = [...buckets].sort(([a], [b]) => a - b)
  const all = sorted.at(-1)?.[1] ?? 0
  if (all === 0) return Number.NaN
  const rank = q * all
  const at = sorted.findIndex(([, value]) => value >= rank)
  const [bound, value] = sorted[at]
  const [below, before] = at === 0 ? [0, 0] : sorted[at - 1]
  if (bound === Number.POSITIVE_INFINITY) return below
  return below + ((bound - below) * (rank - before)) / Math.max(1, value - before)
}
