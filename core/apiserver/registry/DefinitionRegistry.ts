// The definitions that are served now, found by resource and by kind.
// Owns their order and the notice of changes; refuses to know any resource.
import type { Definition, Definitions } from "../Definition.ts"

const keyOf = (group: string, version: string, name: string): string => `${group}/${version}/${name}`

/** An empty registry, or one with these definitions. */
export const makeDefinitions = (initial: ReadonlyArray<Definition> = []): Definitions => {
  const byResource = new Map<string, Definition>()
  // The same by the resource's name alone, for the requests: few share one, and no key is made to find it.
  const byName = new Map<string, ReadonlyArray<Definition>>()
  const byKind = new Map<string, Definition>()
  const listeners: Array<() => void> = []
  const others = ({ group, resource, version }: Definition): ReadonlyArray<Definition> =>
    (byName.get(resource) ?? []).filter((one) => one.group !== group || one.version !== version)
  const add = (definition: Definition): void => {
    const { group, kind, resource, version } = definition
    byResource.set(keyOf(group, version, resource), definition)
    byName.set(resource, [...others(definition), definition])
    byKind.set(keyOf(group, version, kind), definition)
  }
  const changed = (): void => {
    for (const listener of listeners) listener()
  }
  for (const definition of initial) add(definition)
  return {
    find: (group, version, resource) => {
      const named = byName.get(resource)
      if (named === undefined) return undefined
      for (let at = 0; at < named.length; at++) {
        const one = named[at]
        if (one.group === group && one.version === version) return one
      }
      return undefined
    },
    byKind: (group, version, kind) => byKind.get(keyOf(group, version, kind)),
    all: () => [...byResource.values()],
    register: (definition) => {
      add(definition)
      changed()
    },
    unregister: (group, version, resource) => {
      const definition = byResource.get(keyOf(group, version, resource))
      if (definition === undefined) return
      byResource.delete(keyOf(group, version, resource))
      byName.set(resource, others(definition))
      const kind = keyOf(group, version, definition.kind)
      if (byKind.get(kind) === definition) byKind.delete(kind)
      changed()
    },
    onChange: (listener) => void listeners.push(listener)
  }
}
