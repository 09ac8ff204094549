// Which watchers may care about a change: by namespace, by single object, by the value of one field, or all.
// Owns the four groups; refuses to decide, which each watcher does by its whole selector. 10,000 kubelets that watch the pods of their
// node cost an event one look-up, not 10,000 questions.
import type { KubeObject } from "#kube"
import type { CacheEvent } from "./EventRing.ts"

/** Where a watcher stands: the narrowest of these is used. */
export interface WatchScope {
  /** Empty: all. */
  readonly namespace: string
  /** Empty: all of the namespace. */
  readonly name: string
  readonly field?: {
    readonly name: string
    readonly value: string
    readonly of: (object: KubeObject) => string
  }
}

export interface IndexedWatcher {
  readonly scope: WatchScope
  readonly offer: (event: CacheEvent) => void
  /** The cache lost its own watch: this one ends, in good order. */
  readonly lost: () => void
}

type Group = Map<string, Set<IndexedWatcher>>

interface FieldGroup {
  readonly of: (object: KubeObject) => string
  readonly byValue: Group
}

export class WatcherIndex {
  private readonly everything = new Set<IndexedWatcher>()
  private readonly byNamespace: Group = new Map()
  private readonly byKey: Group = new Map()
  private readonly byField = new Map<string, FieldGroup>()
  size = 0

  add(watcher: IndexedWatcher): void {
    this.size++
    const { field, name, namespace } = watcher.scope
    if (name !== "") return join(this.byKey, keyOf(watcher.scope), watcher)
    if (field !== undefined) {
      let group = this.byField.get(field.name)
      if (group === undefined) this.byField.set(field.name, (group = { of: field.of, byValue: new Map() }))
      return join(group.byValue, field.value, watcher)
    }
    if (namespace === "") this.everything.add(watcher)
    else join(this.byNamespace, namespace, watcher)
  }

  remove(watcher: IndexedWatcher): void {
    const { field, name, namespace } = watcher.scope
    this.size--
    if (name !== "") return leave(this.byKey, keyOf(watcher.scope), watcher)
    if (field !== undefined) {
      const group = this.byField.get(field.name)
      if (group === undefined) return
      leave(group.byValue, field.value, watcher)
      if (group.byValue.size === 0) this.byField.delete(field.name)
      return
    }
    if (namespace === "") this.everything.delete(watcher)
    else leave(this.byNamespace, namespace, watcher)
  }

  dispatch(event: CacheEvent): void {
    if (this.size === 0) return
    if (this.everything.size > 0) for (const watcher of this.everything) watcher.offer(event)
    if (this.byKey.size > 0) tell(this.byKey, event.key, event)
    if (this.byNamespace.size > 0) {
      const slash = event.key.indexOf("/")
      if (slash > 0) tell(this.byNamespace, event.key.slice(0, slash), event)
    }
    if (this.byField.size === 0) return
    for (const { byValue, of } of this.byField.values()) {
      const was = event.before && of(event.before.object)
      const is = event.after && of(event.after.object)
      if (was !== undefined) tell(byValue, was, event)
      if (is !== undefined && is !== was) tell(byValue, is, event)
    }
  }

  /** All watchers, as they are now. */
  all(): ReadonlyArray<IndexedWatcher> {
    const groups = [this.byNamespace, this.byKey, ...Array.from(this.byField.values(), ({ byValue }) => byValue)]
    return [...this.everything, ...groups.flatMap((group) => [...group.values()].flatMap((watchers) => [...watchers]))]
  }
}

const keyOf = ({ name, namespace }: WatchScope): string => (namespace === "" ? name : `${namespace}/${name}`)

const join = (group: Group, key: string, watcher: IndexedWatcher): void => {
  const watchers = group.get(key)
  if (watchers === undefined) group.set(key, new Set([watcher]))
  else watchers.add(watcher)
}

const leave = (group: Group, key: string, watcher: IndexedWatcher): void => {
  const watchers = group.get(key)
  watchers?.delete(watcher)
  if (watchers?.size === 0) group.delete(key)
}

const tell = (group: Group, key: string, event: CacheEvent): void => {
  const watchers = group.get(key)
  if (watchers !== undefined) for (const watcher of watchers) watcher.offer(event)
}
