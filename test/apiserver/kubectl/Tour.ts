// Runs scenes of kubectl commands against both clusters of a rig at once and compares what was said.
// Owns the running and the comparison; scenes say what is run, Accepted.ts which differences have a reason.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Accepted, accepted } from "./Accepted.ts"
import { normal } from "./Normal.ts"
import { type Cluster, type Rig, type Running, type Said, SIDES, type Side } from "./Rig.ts"

/** One command of a scene. */
export interface Step {
  /** After "kubectl -n NAMESPACE"; quotes group words. */
  readonly run: string
  readonly input?: string
  /** Files that the command reads, by name, in the cluster's own folder. */
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  /** Said again until it matches, for what controllers do in their own time. */
  readonly until?: RegExp
  /** Only the last line counts: those before tell how it went. */
  readonly last?: boolean
  /** Lines in an order that is nobody's promise. */
  readonly sorted?: boolean
  /** Lines that count. */
  readonly only?: RegExp
  /** Starts and is left running under this name. */
  readonly start?: string
  /** Ends what was started under this name, when it has said what `until` matches, and compares what it said. */
  readonly stop?: string
  /** Asks for this path at the local port that the command opens, of `proxy` or `port-forward`. */
  readonly proxied?: string
  /** Runs in a later second than the step before, where the order of what they do is by time. */
  readonly later?: boolean
  /** Puts things up; is not counted and not compared. */
  readonly quiet?: boolean
  /** In the longer form only. */
  readonly long?: boolean
}

export interface Scene {
  readonly name: string
  /** In the longer form only. */
  readonly long?: boolean
  readonly steps: ReadonlyArray<Step | string>
}

export interface Compared {
  readonly scene: string
  readonly command: string
  readonly same: boolean
  readonly accepted: Accepted | undefined
  readonly ours: string
  readonly real: string
}

/** Milliseconds that a command may take, and that a step may be repeated. */
const STEP_MS = 30_000

/** The words of a command line; what stands in parentheses at its end is for readers. */
const wordsOf = (line: string): ReadonlyArray<string> =>
  Array.from(line.replace(/ \([^()]*\)$/, "").matchAll(/(?:[^\s'"]+|'[^']*'|"(?:[^"\\]|\\.)*")+/g), ([word]) =>
    word.replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"/g, (_all, single?: string, double?: string) =>
      single === undefined ? (double ?? "").replace(/\\(.)/g, "$1") : single
    )
  )

const withTimeout = async (running: Running, ms: number): Promise<Said> => {
  const timer = setTimeout(() => void running.stop(), ms)
  const said = await running.ended
  clearTimeout(timer)
  return said
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const proxied = async (proxy: Running, path: string): Promise<Said> => {
  try {
    const end = Date.now() + STEP_MS
    let port: string | undefined
    while (port === undefined && Date.now() < end) {
      await pause(50)
      port = /127\.0\.0\.1:(\d+)/.exec(proxy.said())?.[1]
    }
    const answer = await fetch(`http://127.0.0.1:${port}${path}`)
    return { code: answer.status, out: await answer.text() }
  } finally {
    await proxy.stop()
  }
}

/** A scene's commands on one cluster. */
class Stage {
  readonly #cluster: Cluster
  readonly #namespace: string
  readonly #running = new Map<string, Running>()

  constructor(cluster: Cluster, namespace: string) {
    this.#cluster = cluster
    this.#namespace = namespace
  }

  #start(step: Step): Running {
    const { env, files = {}, input, run } = step
    for (const name in files) writeFileSync(join(this.#cluster.folder, name), files[name] ?? "", { mode: 0o755 })
    return this.#cluster.kubectl(["-n", this.#namespace, ...wordsOf(run)], input, env)
  }

  async say(step: Step): Promise<Said> {
    if (step.proxied !== undefined) return proxied(this.#start(step), step.proxied)
    const end = Date.now() + STEP_MS
    if (step.start !== undefined) {
      const running = this.#start(step)
      this.#running.set(step.start, running)
      while (running.said() === "" && Date.now() < end) await pause(50)
      return { code: 0, out: "" }
    }
    if (step.stop !== undefined) {
      const running = this.#running.get(step.stop)
      if (running === undefined) throw new Error(`${step.stop} was never started`)
      while (step.until?.test(running.said()) === false && Date.now() < end) await pause(50)
      return { code: 0, out: (await running.stop()).out }
    }
    let said = await withTimeout(this.#start(step), STEP_MS)
    while (step.until?.test(said.out) === false && Date.now() < end) {
      await pause(150)
      said = await withTimeout(this.#start(step), STEP_MS)
    }
    return said
  }
}

const shown = (step: Step, { code, out }: Said): string => {
  let lines = normal(out).split("\n")
  if (step.only !== undefined) lines = lines.filter((line) => step.only?.test(line))
  if (step.last === true) lines = lines.slice(-1)
  if (step.sorted === true) lines.sort()
  return `${lines.join("\n")}\n[${code}]`
}

const compare = (
  scene: Scene,
  step: Step,
  said: Readonly<Record<Side, Said>>,
  accepted: ReadonlyArray<Accepted>
): Compared => {
  const ours = shown(step, said.ours)
  const real = shown(step, said.real)
  const command = `kubectl ${step.run}${step.proxied === undefined ? "" : `, then GET ${step.proxied}`}`
  const same = ours === real
  const found = same ? undefined : accepted.find((one) => one.explains(scene.name, command, ours, real))
  return { scene: scene.name, command, same, accepted: found, ours, real }
}

const ready = async (cluster: Cluster, namespace: string): Promise<void> => {
  const body = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } })
  const made = await cluster.call("POST", "/api/v1/namespaces", {
    body,
    headers: { "content-type": "application/json" }
  })
  if (made.code !== 201) throw new Error(`namespace ${namespace}: ${made.body}`)
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default`
  const end = Date.now() + STEP_MS
  while ((await cluster.call("GET", path)).code !== 200 && Date.now() < end) await pause(50)
}

const play = async (rig: Sides, scene: Scene, options: TourOptions): Promise<ReadonlyArray<Compared>> => {
  const stages = { ours: new Stage(rig.ours, scene.name), real: new Stage(rig.real, scene.name) }
  await Promise.all(SIDES.map((side) => ready(rig[side], scene.name)))
  const compared: Array<Compared> = []
  for (const one of scene.steps) {
    const step = typeof one === "string" ? { run: one } : one
    if (step.long === true && !options.long) continue
    if (step.later === true) await pause(1100)
    const [ours, real] = await Promise.all(SIDES.map((side) => stages[side].say(step)))
    if (ours === undefined || real === undefined) throw new Error("a side is missing")
    if (step.quiet !== true && step.start === undefined) {
      compared.push(compare(scene, step, { ours, real }, options.accepted ?? accepted))
    }
  }
  return compared
}

/** The two clusters that are compared. */
export type Sides = Pick<Rig, Side>

export interface TourOptions {
  readonly long: boolean
  /** Scenes that play at the same time. */
  readonly together: number
  /** Differences that have a reason; without it those between our API server and the real one. */
  readonly accepted?: ReadonlyArray<Accepted>
}

/** Plays all scenes, a few at a time; the result is in the scenes' order. */
export const playAll = async (
  rig: Sides,
  scenes: ReadonlyArray<Scene>,
  options: TourOptions
): Promise<ReadonlyArray<Compared>> => {
  const results: Array<ReadonlyArray<Compared>> = []
  const played = options.long ? scenes : scenes.filter(({ long }) => long !== true)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < played.length) {
      const at = next++
      const scene = played[at]
      if (scene !== undefined) results[at] = await play(rig, scene, options)
    }
  }
  await Promise.all(Array.from({ length: options.together }, worker))
  return results.flat()
}

/** Differences without a reason; they are printed too, because a second play hides those of the first. */
export const unexplained = (compared: ReadonlyArray<Compared>): ReadonlyArray<Compared> => {
  const found = compared.filter(({ accepted: reason, same }) => !same && reason === undefined)
  for (const { command, ours, real, scene } of found) console.log(`${scene}: ${command}\nours: ${ours}\nreal: ${real}`)
  return found
}
