// Grafts other systems' traces into a view's trees: for each request or object that an extension is about, the traces that its server
// answers, hung below. Owns what is asked, how many at once and for how long; what has not come by then is left out, and the root says so.
import type { Clockwork } from "#kube"
import { Attribute } from "../model/Span.ts"
import { pseudoTypeOf, traceSourceOf, type ViewNode, walkDown } from "../view/ViewNode.ts"
import type { Extension, Purpose } from "./ExtensionArgs.ts"
import { foreignTraces } from "./ForeignTraces.ts"
import type { TemplateData } from "./Template.ts"

/** Asks an address for JSON; calls back once, with undefined where there was no good answer. Answers how to give up. */
export type FetchJson = (url: string, timeoutMs: number, done: (answer: unknown) => void) => () => void

/** Spans of one view for which extensions are asked; the rest is told as a warning. */
const SUBJECTS_MAX = 500
/** How far from a request's or object's time its foreign traces may begin. */
const AROUND_US = 60_000_000

interface Subject {
  readonly node: ViewNode
  readonly purpose: Purpose
}

const subjectsOf = (roots: ReadonlyArray<ViewNode>): ReadonlyArray<Subject> => {
  const subjects: Array<Subject> = []
  for (const root of roots) {
    walkDown(root, (node) => {
      if (traceSourceOf(node) === "audit") subjects.push({ node, purpose: "audit" })
      else if (pseudoTypeOf(node) === "object") subjects.push({ node, purpose: "object" })
    })
  }
  return subjects
}

const apiPath = (tags: Readonly<Record<string, string>>, { node }: Subject): string => {
  const { group, name, namespace, resource } = node.object
  const version = tags[Attribute.version] ?? ""
  const place = namespace === "" || resource === "namespaces" ? "" : `/namespaces/${namespace}`
  return `${group === "" ? `/api/${version}` : `/apis/${group}/${version}`}${place}/${resource}/${name}`
}

const dataOf = (subject: Subject): TemplateData => {
  const { node } = subject
  const { cluster, group, name, namespace, resource } = node.object
  const version = node.tags[Attribute.version] ?? ""
  return {
    cluster,
    group,
    version,
    resource,
    namespace,
    name,
    groupVersion: group === "" ? version : `${group}/${version}`,
    groupResource: group === "" ? resource : `${resource}.${group}`,
    objectApiPath: apiPath(node.tags, subject),
    ...node.tags,
    start: node.startUs - AROUND_US,
    end: node.endUs + AROUND_US
  }
}

/** Asks for every subject of one extension, a bounded number at once. */
const runExtension = (
  extension: Extension,
  subjects: ReadonlyArray<Subject>,
  { clockwork, fetchJson }: ExtendParts,
  done: (late: number) => void
): void => {
  const asked = subjects
    .map((subject) => ({ subject, urls: extension.ask(subject.purpose, dataOf(subject)) }))
    .filter(({ urls }) => urls.length > 0)
  const cancels = new Set<() => void>()
  let [next, open, ended] = [0, 0, false]
  const end = (): void => {
    if (ended) return
    ended = true
    stop()
    const late = asked.length - next + open
    for (const cancel of cancels) cancel()
    done(late)
  }
  const stop = clockwork.after(extension.timeoutMs, end)
  const ask = ({ subject, urls }: (typeof asked)[number], at: number): void => {
    const cancel = fetchJson(urls[at], extension.timeoutMs, (answer) => {
      cancels.delete(cancel)
      if (ended) return
      const found = foreignTraces(answer, subject.node)
      if (found === undefined && at + 1 < urls.length) return ask({ subject, urls }, at + 1)
      subject.node.children.push(...(found ?? []))
      open--
      pump()
    })
    cancels.add(cancel)
  }
  const pump = (): void => {
    while (open < extension.concurrency && next < asked.length) {
      open++
      ask(asked[next++], 0)
    }
    if (open === 0 && next === asked.length) end()
  }
  pump()
}

export interface ExtendParts {
  readonly clockwork: Pick<Clockwork, "after">
  readonly fetchJson: FetchJson
}

/** Grafts what all extensions find; `done` comes once, whatever their servers do. */
export const extend = (
  roots: ReadonlyArray<ViewNode>,
  extensions: ReadonlyArray<Extension>,
  parts: ExtendParts,
  done: () => void
): void => {
  const all = subjectsOf(roots)
  const subjects = all.slice(0, SUBJECTS_MAX)
  const [root] = roots
  if (all.length > subjects.length) {
    root?.warnings.push(`other systems' traces were looked for in ${SUBJECTS_MAX} of ${all.length} spans`)
  }
  let left = extensions.length
  const ended = (late: number): void => {
    if (late > 0) root?.warnings.push(`other systems' traces of ${late} spans did not come in time`)
    if (--left === 0) done()
  }
  for (const extension of extensions) runExtension(extension, subjects, parts, ended)
}
