// What names an object to a trace: cluster, group, resource, namespace and name, and the windows into which its life is cut.
// Owns the key, its text and the cut of time; refuses uids, which tell incarnations of one key apart and are attributes.

/** Every part is there; empty where the object has none (the core group, no namespace). */
export interface ObjectKey {
  readonly cluster: string
  readonly group: string
  /** Plural, like "pods". */
  readonly resource: string
  readonly namespace: string
  readonly name: string
}

let lastKey: ObjectKey | undefined
let lastText = ""

/** "cluster/group/resource/namespace/name"; only the name may hold further slashes. */
export const objectText = (key: ObjectKey): string => {
  // Facts of one event ask for the same object's several times, and a text's hash is made once for each text.
  if (key === lastKey) return lastText
  const { cluster, group, name, namespace, resource } = key
  lastKey = key
  lastText = `${cluster}/${group}/${resource}/${namespace}/${name}`
  return lastText
}

/** The key that a text stands for; undefined when it has fewer than five parts or names nothing. */
export const parseObjectText = (text: string): ObjectKey | undefined => {
  const [cluster = "", group = "", resource = "", namespace = "", ...rest] = text.split("/")
  const name = rest.join("/")
  return resource === "" || name === "" ? undefined : { cluster, group, resource, namespace, name }
}

export const sameObject = (a: ObjectKey, b: ObjectKey): boolean =>
  a.name === b.name &&
  a.namespace === b.namespace &&
  a.resource === b.resource &&
  a.group === b.group &&
  a.cluster === b.cluster

/** How long a window is unless configured otherwise, in seconds; one trace is one object in one window. */
export const WINDOW_SECONDS = 1800

/** The start of the half-open window that a time falls into, in microseconds: a whole second, aligned to the epoch. */
export const windowStartUs = (atUs: number, windowSeconds: number): number => {
  const length = windowSeconds * 1_000_000
  return Math.floor(atUs / length) * length
}
