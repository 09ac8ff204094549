// What truly happened to the ConfigMaps of a namespace, written down by the one who did it, and what an observer may have seen of it:
// each event once, in order, none left out, or, of a client that lists anew, the last state of what changed meanwhile.
// Owns the writing and the comparison; refuses to watch.
import type { RealApiServer } from "../kube/RealApiServer.ts"

export type Deed = "add" | "update" | "delete"

/** One thing seen: a deed, on which object, and the version it left (of a deletion: any later one). */
export interface Seen {
  readonly deed: Deed
  readonly name: string
  readonly version: string
}

export interface Ledger {
  /** In the order in which they were done, which is the order of versions. */
  readonly deeds: ReadonlyArray<Seen>
  /** Objects that are there at the end, with their versions. */
  readonly held: ReadonlyMap<string, string>
  /** Writes without a pause until it is stopped; waits while it is held up. */
  readonly stop: () => Promise<void>
  readonly holdUp: (act: () => Promise<void>) => Promise<void>
}

const NAMES = 12
const JSON_BODY = { "content-type": "application/json" }

/** Starts writing into a namespace that is there, a few times a second. */
export const startLedger = (call: RealApiServer["call"], namespace: string, pauseMs = 12): Ledger => {
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  const deeds: Array<Seen> = []
  const held = new Map<string, string>()
  let count = 0
  const state = { stopped: false }
  let between: Promise<void> = Promise.resolve()
  const versionOf = (body: string): string =>
    (JSON.parse(body) as { readonly metadata: { readonly resourceVersion: string } }).metadata.resourceVersion
  const write = async (): Promise<void> => {
    const name = `m${(count * 7) % NAMES}`
    const n = `${count++}`
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { seen: "yes" } }, data: { n } }
    const [method, at, deed] = !held.has(name)
      ? (["POST", path, "add"] as const)
      : count % 5 === 0
        ? (["DELETE", `${path}/${name}`, "delete"] as const)
        : (["PUT", `${path}/${name}`, "update"] as const)
    const sent = deed === "delete" ? {} : { body: JSON.stringify(object), headers: JSON_BODY }
    const { body, code } = await call(method, at, sent)
    if (code >= 300) throw new Error(`${method} ${at}: ${body}`)
    if (deed === "delete") {
      deeds.push({ deed, name, version: "" })
      held.delete(name)
    } else {
      deeds.push({ deed, name, version: versionOf(body) })
      held.set(name, versionOf(body))
    }
  }
  const running = (async () => {
    while (!state.stopped) {
      await between
      await write()
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  })()
  // Whoever stops it hears of a failure.
  running.catch(() => undefined)
  return {
    deeds,
    held,
    stop: async () => {
      state.stopped = true
      await running
    },
    holdUp: (act) => (between = between.then(act))
  }
}

/** What an observer saw otherwise than it was. */
export interface Verdict {
  readonly wrong: ReadonlyArray<string>
  /** Deeds that were passed over because the client listed anew. */
  readonly passedOver: number
}

const told = (one: Seen): string => `${one.deed} ${one.name}@${one.version}`

/** Of one client that never lists anew: exactly the deeds, from the first that it saw. */
export const exactly = (deeds: ReadonlyArray<Seen>, seen: ReadonlyArray<Seen>): Verdict => {
  const from = seen[0] === undefined ? 0 : deeds.findIndex((one) => one.version === seen[0]?.version)
  const wrong: Array<string> = []
  const expected = deeds.slice(Math.max(0, from))
  for (let at = 0; at < Math.max(expected.length, seen.length) && wrong.length < 10; at++) {
    const [was, saw] = [expected[at], seen[at]]
    const same =
      was !== undefined &&
      saw !== undefined &&
      was.deed === saw.deed &&
      was.name === saw.name &&
      (was.deed === "delete" || was.version === saw.version)
    if (!same) wrong.push(`event ${at}: was ${was && told(was)}, seen ${saw && told(saw)}`)
  }
  return { wrong, passedOver: 0 }
}

/** Of an informer: no version twice, none after a later one, each a true one, and at the end what is there. */
export const faithfully = (
  { deeds, held }: Pick<Ledger, "deeds" | "held">,
  seen: ReadonlyArray<Seen>,
  holds: ReadonlyMap<string, string>
): Verdict => {
  const wrong: Array<string> = []
  const versions = new Set(deeds.map(({ name, version }) => `${name}@${version}`))
  const last = new Map<string, bigint>()
  const there = new Map<string, string>()
  for (const one of seen) {
    const { deed, name, version } = one
    if (deed !== "delete") {
      if (!versions.has(`${name}@${version}`)) wrong.push(`${told(one)} never was`)
      if (BigInt(version) <= (last.get(name) ?? 0n)) wrong.push(`${told(one)} after ${name}@${last.get(name)}`)
      last.set(name, BigInt(version))
    }
    if ((deed === "add") === there.has(name))
      wrong.push(`${told(one)} while it was ${there.has(name) ? "" : "not "}there`)
    if (deed === "delete") there.delete(name)
    else there.set(name, version)
  }
  const at = (map: ReadonlyMap<string, string>): string =>
    [...map]
      .map((pair) => pair.join("@"))
      .toSorted()
      .join()
  if (at(there) !== at(held)) wrong.push(`events end with ${at(there)}, but there is ${at(held)}`)
  if (at(holds) !== at(held)) wrong.push(`it holds ${at(holds)}, but there is ${at(held)}`)
  return { wrong: wrong.slice(0, 10), passedOver: deeds.length - seen.length }
}
