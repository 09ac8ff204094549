// What Jaeger's newer page shows of a trace in a list: root, times, and counts by service.
// Owns the sums; refuses to keep a trace's spans.
import type { CatalogTrace } from "./TraceCatalog.ts"

export const summaryOf = (trace: CatalogTrace) => {
  const services = new Map<string, { readonly name: string; spanCount: number; errorSpanCount: number }>()
  const known = new Set<string>()
  const parents: Array<string> = []
  let root: { readonly service: string; readonly name: string } | undefined
  let [startUs, endUs] = [Number.POSITIVE_INFINITY, 0]
  let [spanCount, errorSpanCount] = [0, 0]
  for (let spans = trace.next(); spans !== undefined; spans = trace.next()) {
    for (const span of spans) {
      if (span.parentSpanId === "") root ??= { service: span.service, name: span.name }
      else parents.push(span.parentSpanId)
      known.add(span.spanId)
      startUs = Math.min(startUs, span.startUs)
      endUs = Math.max(endUs, span.endUs)
      const service = services.get(span.service) ?? { name: span.service, spanCount: 0, errorSpanCount: 0 }
      services.set(span.service, service)
      service.spanCount++
      spanCount++
      if (!span.failed) continue
      service.errorSpanCount++
      errorSpanCount++
    }
  }
  return {
    traceId: trace.traceId,
    rootServiceName: root?.service ?? "",
    rootOperationName: root?.name ?? "",
    minStartTimeUnixNano: spanCount === 0 ? "0" : `${startUs}000`,
    maxEndTimeUnixNano: `${endUs}000`,
    spanCount,
    errorSpanCount,
    orphanSpanCount: parents.filter((parent) => !known.has(parent)).length,
    services: [...services.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}
