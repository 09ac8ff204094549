// What display modes make of the store: searches and traces by mode, with ids that hold mode, object and range.
// Owns the way from a query or an id to spans; refuses wire forms. It keeps nothing that it could not find again: only which objects the
// ids that it gave out lately mean.
import { extend, type ExtendParts } from "../extension/Extensions.ts"
import { objectSpanId } from "../model/Ids.ts"
import { type ObjectKey, objectText } from "../model/ObjectKey.ts"
import { Attribute } from "../model/Span.ts"
import type { OutSpan } from "../otlp/OutSpan.ts"
import type { FoundTrace, SpanStore, TraceQuery } from "../store/SpanStore.ts"
import type { DisplayMode, DisplayModes } from "./DisplayModes.ts"
import { followLinks, type Forest } from "./FollowLinks.ts"
import type { NamedLink } from "./ObjectTree.ts"
import { parseViewId, rangeUs, type ViewId, viewHash, type WindowRange, windowRange, writeViewId } from "./ViewId.ts"
import { spansOf } from "./ViewNode.ts"

/** Objects whose hashes are kept; others are found by looking through the windows. */
const KNOWN_MAX = 100_000
/** Objects of a range through which an id's object is looked for. */
const SCAN_MAX = 1_000_000
/** References of one span to views of linked objects. */
const REFERENCES_MAX = 50

/** One trace as a display mode shows it. */
export interface TraceView {
  readonly traceId: string
  readonly mode: DisplayMode
  readonly object: ObjectKey
  /** Parents before children. */
  readonly spans: ReadonlyArray<OutSpan>
}

export type ViewAnswer =
  | { readonly kind: "found"; readonly view: TraceView }
  | { readonly kind: "unknown" }
  /** The id's hash stands for several objects that nothing here tells apart. */
  | { readonly kind: "ambiguous"; readonly objects: ReadonlyArray<ObjectKey> }

export class TraceViews {
  readonly modes: DisplayModes
  private readonly store: SpanStore
  private readonly extending: ExtendParts | undefined
  private readonly known = new Map<bigint, ObjectKey>()

  /** Without a way to ask other systems, no mode shows anything of theirs. */
  constructor(store: SpanStore, modes: DisplayModes, extending?: ExtendParts) {
    this.store = store
    this.modes = modes
    this.extending = extending
  }

  /** The id of a view of an object over a range of time. */
  idOf(mode: DisplayMode, object: ObjectKey, fromUs: number, toUs: number): string {
    return this.idIn(mode, object, windowRange(fromUs, toUs, this.store.windowSeconds))
  }

  /** An object in a mode, with what its extensions graft in; undefined when nothing is known of it in the range. */
  open(
    mode: DisplayMode,
    object: ObjectKey,
    fromUs: number,
    toUs: number,
    done: (view: TraceView | undefined) => void
  ): void {
    this.openIn(mode, object, windowRange(fromUs, toUs, this.store.windowSeconds), done)
  }

  private openIn(
    mode: DisplayMode,
    object: ObjectKey,
    windows: WindowRange,
    done: (view: TraceView | undefined) => void
  ): void {
    const found = this.found(mode, object, windows)
    const { extending } = this
    if (found === undefined || mode.extensions.length === 0 || extending === undefined)
      return done(found && this.shown(mode, object, windows, found))
    extend(found.roots, mode.extensions, extending, () => done(this.shown(mode, object, windows, found)))
  }

  /** The same without extensions; undefined when nothing is known of it in the range. */
  view(mode: DisplayMode, object: ObjectKey, fromUs: number, toUs: number): TraceView | undefined {
    return this.build(mode, object, windowRange(fromUs, toUs, this.store.windowSeconds))?.view
  }

  /** The view that an id means. `done` is not called before the call returned. */
  ofId(traceId: string, done: (answer: ViewAnswer) => void): void {
    const id = parseViewId(traceId)
    const mode = id === undefined ? undefined : this.modes.ofId(id.mode)
    if (id === undefined || mode === undefined) return this.store.objects({ limit: 1 }, () => done({ kind: "unknown" }))
    const answer = (object: ObjectKey): void => {
      this.openIn(mode, object, id.range, (view) =>
        done(view === undefined ? { kind: "unknown" } : { kind: "found", view })
      )
    }
    const range = rangeUs(id.range, this.store.windowSeconds)
    const known = this.known.get(id.hash)
    this.store.objects(known === undefined ? { ...range, limit: SCAN_MAX } : { limit: 1 }, (objects) => {
      if (known !== undefined) return answer(known)
      const found = this.matching(id, objects)
      if (found.length > 1) return done({ kind: "ambiguous", objects: found })
      if (found.length === 0) return done({ kind: "unknown" })
      answer(found[0])
    })
  }

  /**
   * Views of objects with a span that a query looks for, newest first; objects that one view shows together are one result. Each view is
   * made when it is asked for.
   */
  search(mode: DisplayMode, query: TraceQuery, nowUs: number, done: (views: Iterable<TraceView>) => void): void {
    const { limit } = query
    const wide = { ...query, limit: Math.min(limit * 8, 10_000) }
    this.store.search(wide, (found) => {
      if (found.length > 0) return done(this.views(mode, found, query, nowUs, limit))
      // Nothing happened in the range; an object that is named may yet be linked to something.
      const { [Attribute.name]: name, [Attribute.resource]: resource } = query.attributes ?? {}
      if (name === undefined || resource === undefined || query.service !== undefined) return done([])
      this.store.search({ ...wide, service: "object" }, (idle) => done(this.views(mode, idle, query, nowUs, limit)))
    })
  }

  private *views(
    mode: DisplayMode,
    found: ReadonlyArray<FoundTrace>,
    { fromUs, toUs }: TraceQuery,
    nowUs: number,
    limit: number
  ): Generator<TraceView> {
    const shown = new Set<string>()
    let told = 0
    const oldest = found.reduce((least, { windowStartUs }) => Math.min(least, windowStartUs), nowUs)
    const range = windowRange(fromUs ?? oldest, toUs ?? nowUs + 1, this.store.windowSeconds)
    for (const { object } of found) {
      if (told >= limit) return
      if (shown.has(objectText(object))) continue
      const built = this.build(mode, object, range)
      shown.add(objectText(object))
      if (built === undefined) continue
      for (const member of built.objects) shown.add(objectText(member))
      told++
      yield built.view
    }
  }

  private build(mode: DisplayMode, object: ObjectKey, windows: WindowRange) {
    const forest = this.found(mode, object, windows)
    return forest === undefined
      ? undefined
      : { view: this.shown(mode, object, windows, forest), objects: forest.objects }
  }

  /** The objects of a view, before the mode's steps. */
  private found(mode: DisplayMode, object: ObjectKey, windows: WindowRange): Forest | undefined {
    const range = rangeUs(windows, this.store.windowSeconds)
    const forest = followLinks(this.store, object, range, mode.selector)
    if (forest !== undefined) this.refer(mode, forest, windows)
    return forest
  }

  private shown(mode: DisplayMode, object: ObjectKey, windows: WindowRange, { roots }: Forest): TraceView {
    const traceId = this.idIn(mode, object, windows)
    for (const root of roots) for (const step of mode.steps) step(root)
    const spans = spansOf(traceId, roots).map((span) => withOwnLinks(span, traceId))
    return { traceId, mode, object, spans }
  }

  /** Links that lead out of the view become references to views of the other objects, or to spans elsewhere. */
  private refer(mode: DisplayMode, { outward }: Forest, windows: WindowRange): void {
    const range = rangeUs(windows, this.store.windowSeconds)
    for (const [node, links] of outward) {
      for (const link of links.slice(0, REFERENCES_MAX)) {
        const target = link.remote ?? this.target(mode, link, windows, range)
        if (target !== undefined) node.links.push({ ...target, attributes: attributesOf(link) })
      }
      if (links.length > REFERENCES_MAX) {
        node.warnings.push(`${links.length - REFERENCES_MAX} linked objects are not referred to`)
      }
    }
  }

  private target(
    mode: DisplayMode,
    { other }: NamedLink,
    windows: WindowRange,
    range: { readonly fromUs: number; readonly toUs: number }
  ) {
    const [first] = this.store.tracesOf(other, range)
    return first === undefined ? undefined : { traceId: this.idIn(mode, other, windows), spanId: objectSpanId(first) }
  }

  private idIn({ id: mode }: DisplayMode, object: ObjectKey, range: WindowRange): string {
    const hash = viewHash(object, this.store.windowSeconds)
    this.remember(hash, object)
    return writeViewId({ mode, range, hash })
  }

  private matching({ hash }: ViewId, objects: ReadonlyArray<ObjectKey>): ReadonlyArray<ObjectKey> {
    return objects.filter((object) => viewHash(object, this.store.windowSeconds) === hash)
  }

  /** The one remembered longest ago goes first. */
  private remember(hash: bigint, object: ObjectKey): void {
    this.known.delete(hash)
    this.known.set(hash, object)
    if (this.known.size <= KNOWN_MAX) return
    for (const oldest of this.known.keys()) {
      this.known.delete(oldest)
      return
    }
  }
}

const attributesOf = ({ class: name, other, role }: NamedLink): Readonly<Record<string, string>> => ({
  [Attribute.linkClass]: name,
  [Attribute.linkRole]: role,
  [Attribute.linkedResource]: other.resource,
  [Attribute.linkedName]: other.name
})

/** References within the tree were made before the tree had an id. */
const withOwnLinks = (span: OutSpan, traceId: string): OutSpan =>
  span.links.some((link) => link.traceId === "")
    ? { ...span, links: span.links.map((link) => (link.traceId === "" ? { ...link, traceId } : link)) }
    : span
