// The steps of display modes that move spans: what happened becomes logs of its object, groups by source, or lies flat under the root.
// Owns those; refuses to name what it moves.
import { idOf } from "../model/Ids.ts"
import { Attribute } from "../model/Span.ts"
import type { OutLog } from "../otlp/OutSpan.ts"
import { isPseudo, pseudoTypeOf, traceSourceOf, type ViewNode, walkUp } from "./ViewNode.ts"

export interface DiffClass {
  readonly shouldDisplay: boolean
  readonly name: string
  readonly priority: number
}

export interface CollapseOptions {
  readonly shouldCollapse: (traceSource: string) => boolean
  readonly tagMappings: Readonly<
    Record<string, ReadonlyArray<{ readonly fromSpanTag: string; readonly toLogField: string }>>
  >
  readonly diffClassOf: (path: string) => DiffClass
  /** By log type; a type that is not here is left out, one with an empty field has its text in no field of its own. */
  readonly logTypeMapping: Readonly<Record<string, string>>
}

/** What happened to an object becomes its logs: one log for each span, by time. */
export const collapseNesting =
  (options: CollapseOptions) =>
  (root: ViewNode): void =>
    walkUp(root, (node) => {
      if (!isPseudo(node)) return
      const kept: Array<ViewNode> = []
      const logs: Array<OutLog> = []
      for (const child of node.children) {
        const source = traceSourceOf(child)
        if (isPseudo(child) || source === "" || !options.shouldCollapse(source)) kept.push(child)
        else {
          logs.push(logOf(child, source, options))
          // What hangs below it, like another system's trace, stays a trace.
          kept.push(...child.children)
          node.links.push(...child.links)
          node.failed ||= child.failed
        }
      }
      node.children = kept
      if (logs.length > 0) node.logs = [...node.logs, ...logs].sort((a, b) => a.atUs - b.atUs)
    })

const logOf = (span: ViewNode, source: string, options: CollapseOptions): OutLog => {
  const fields: Record<string, string> = { [Attribute.traceSource]: source, [source]: span.name }
  for (const { fromSpanTag, toLogField } of options.tagMappings[source] ?? []) {
    const value = span.tags[fromSpanTag]
    if (value !== undefined) fields[toLogField] = value
  }
  const classes = new Map<DiffClass, Array<string>>()
  for (const { fields: said, name } of span.logs) {
    const message = said["message"] ?? ""
    if (name === "audit/objectDiff") classify(message, options, classes)
    else {
      const field = options.logTypeMapping[name]
      if (field !== undefined)
        fields[field === "" ? source : field] = joined(fields, field === "" ? source : field, message)
    }
  }
  for (const [{ name }, lines] of Array.from(classes).sort(([a], [b]) => a.priority - b.priority)) {
    fields[name] = lines.join("\n")
  }
  return { atUs: span.startUs, name: span.name, fields }
}

const joined = (fields: Readonly<Record<string, string>>, field: string, text: string): string =>
  fields[field] === undefined ? text : `${fields[field]}\n${text}`

const classify = (message: string, { diffClassOf }: CollapseOptions, into: Map<DiffClass, Array<string>>): void => {
  for (const line of message.split("\n")) {
    const found = diffClassOf(line.slice(0, Math.max(line.indexOf(" "), 0)))
    if (line === "" || !found.shouldDisplay) continue
    const lines = into.get(found)
    if (lines === undefined) into.set(found, [line])
    else lines.push(line)
  }
}

/** Takes pseudo-spans of some types away and hands what they held to the span above; never the root. */
export const extractNesting =
  (matches: (pseudoType: string) => boolean) =>
  (root: ViewNode): void =>
    walkUp(root, (node) => {
      node.children = node.children.flatMap((child) => {
        const type = pseudoTypeOf(child)
        if (type === "" || !matches(type)) return [child]
        node.logs = [...node.logs, ...child.logs].sort((a, b) => a.atUs - b.atUs)
        node.links.push(...child.links)
        node.warnings.push(...child.warnings)
        return child.children
      })
    })

/** Logs become spans again, under one pseudo-span for each source. */
export const groupByTraceSource =
  (shouldBeGrouped: (traceSource: string) => boolean) =>
  (root: ViewNode): void =>
    walkUp(root, (node) => {
      const groups = new Map<string, Array<OutLog>>()
      node.logs = node.logs.filter((log) => {
        const source = log.fields[Attribute.traceSource] ?? ""
        if (source === "" || !shouldBeGrouped(source)) return true
        const group = groups.get(source)
        if (group === undefined) groups.set(source, [log])
        else group.push(log)
        return false
      })
      for (const [source, logs] of groups) node.children.push(groupOf(node, source, logs))
    })

const groupOf = (node: ViewNode, source: string, logs: Array<OutLog>): ViewNode => ({
  spanId: idOf("group", node.spanId, source),
  service: source,
  name: source,
  startUs: logs[0].atUs,
  endUs: logs[logs.length - 1].atUs,
  failed: false,
  tags: { [Attribute.traceSource]: source, [Attribute.pseudoType]: "traceSource" },
  logs,
  links: [],
  warnings: [],
  children: [],
  object: node.object
})

/** Log fields for machines go last, when nothing groups by them any more. */
export const pruneLogFields = (root: ViewNode): void =>
  walkUp(root, (node) => {
    node.logs = node.logs.map((log) => {
      const { [Attribute.traceSource]: source, ...fields } = log.fields
      return source === undefined ? log : { ...log, fields: { title: source, ...fields } }
    })
  })
