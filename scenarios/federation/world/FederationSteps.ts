// What each kind of step does to a federation, and what it measures while it does.
// Owns the load and the moments that count; refuses the wait for rest and the record, which FederationWalk.ts has.
import { ApiFailure, type KubeObject, type Target } from "#kube"
import type { Tally } from "../../generator/Tally.ts"
import type { FederationStep } from "../Federation.ts"
import { ReplicaLedger } from "./ReplicaLedger.ts"
import { DEPLOYMENTS, NAMESPACE, pause, placedDeployment, type Stage, until } from "./Stage.ts"

/** A step at work. */
export interface StepContext<Step extends FederationStep = FederationStep> {
  readonly stage: Stage
  readonly step: Step
  readonly tally: Tally
}

/** What a step's load came to. */
export interface StepEnd {
  readonly objects: number
  /** When the last object was where it should be, on the monotonic clock. */
  readonly endedAt: number
  /** Open loops: how much later than planned the last object was applied, in ms. */
  readonly lateMs?: number
  readonly membersLost?: number
  readonly replicasMoved?: number
  readonly elsewhereMs?: number
  /** Looks at members once more when all is at rest: objects that run too often and too seldom. */
  readonly atRest?: () => { readonly tooMany: number; readonly tooFew: number }
}

type Of<Kind extends FederationStep["kind"]> = StepContext<Extract<FederationStep, { readonly kind: Kind }>>

const target = (name: string): Target => ({ resource: DEPLOYMENTS, namespace: NAMESPACE, name })

const imageOf = ({ spec }: KubeObject): string | undefined => {
  const { template } = spec as {
    readonly template?: { readonly spec?: { readonly containers?: ReadonlyArray<unknown> } }
  }
  return (template?.spec?.containers?.[0] as { readonly image?: string } | undefined)?.image
}

/** Objects on their way: each is sent once, and counts when it has arrived. */
class Flight {
  readonly #tally: Tally
  readonly #sent = new Map<string, { readonly due: number; readonly at: number }>()
  /** Called when an object has arrived or was refused. */
  onEnd: () => void = () => {}
  endedAt = performance.now()

  constructor(tally: Tally) {
    this.#tally = tally
  }

  get size(): number {
    return this.#sent.size
  }

  send(name: string, due: number): void {
    this.#sent.set(name, { due, at: performance.now() })
    this.#tally.sent++
  }

  arrived(name: string): void {
    const sent = this.#sent.get(name)
    if (sent === undefined) return
    this.#sent.delete(name)
    this.endedAt = performance.now()
    this.#tally.succeed(sent.due, sent.at, this.endedAt)
    this.onEnd()
  }

  refused(name: string, failure: ApiFailure): void {
    if (!this.#sent.delete(name)) return
    this.#tally.fail(`${failure.code} ${failure.reason}`)
    this.onEnd()
  }

  async over(limitMs: number): Promise<void> {
    const { planned } = this.#tally
    await until(() => {
      const { completed, failed } = this.#tally
      return completed + failed >= planned ? undefined : `${completed} of ${planned} objects have arrived`
    }, limitMs)
  }
}

const create = async ({ stage, step, tally }: Of<"create">): Promise<StepEnd> => {
  const { inFlight, limit, name: prefix, objects, perSecond } = step
  const { replicas } = stage.federation.placement
  const flight = new Flight(tally)
  tally.planned = objects
  stage.hear = (_member, verb, { kind, metadata }) => {
    if (verb === "create" && kind === "Deployment") flight.arrived(metadata.name ?? "")
  }
  const apply = (at: number, due: number): void => {
    const name = `${prefix}-${at}`
    flight.send(name, due)
    stage.raw.create(
      { resource: DEPLOYMENTS, namespace: NAMESPACE },
      placedDeployment(name, replicas),
      {},
      (answer) => {
        if (answer instanceof ApiFailure) flight.refused(name, answer)
      }
    )
  }
  let next = 0
  const begun = performance.now()
  if (perSecond === undefined) {
    const more = (): void => {
      while (next < objects && flight.size < inFlight) apply(next++, performance.now())
    }
    flight.onEnd = more
    more()
    await flight.over(limit)
    return { objects, endedAt: flight.endedAt }
  }
  let lateMs = 0
  while (next < objects) {
    const due = begun + (next * 1000) / perSecond
    // A timer may fire early; what is sent before its time would be answered in none.
    while (due > performance.now()) await pause(due - performance.now())
    lateMs = Math.max(0, performance.now() - due)
    apply(next++, due)
  }
  await flight.over(limit)
  return { objects, endedAt: flight.endedAt, lateMs }
}

/** Outages so far: each takes other members, because those that were lost once have little left. */
let outages = 0

/** Every n-th member, so that they are not the first by name only. */
const chosen = (names: ReadonlyArray<string>, count: number): ReadonlyArray<string> => {
  const stride = Math.max(1, Math.floor(names.length / count))
  const first = outages++ % stride
  return names.filter((_, at) => at % stride === first).slice(0, count)
}

const outage = async ({ stage, step, tally }: Of<"outage">): Promise<StepEnd> => {
  const ledger = new ReplicaLedger(stage.members)
  const wanted = new Map(ledger.objects.map((object) => [object, ledger.sum(object)]))
  const lost = chosen([...stage.members.keys()], step.members)
  const pending = new Set(lost.flatMap((member) => [...ledger.of(member).keys()]))
  const touched = [...pending]
  const tooMany = new Set<string>()
  tally.planned = touched.length
  tally.sent = touched.length
  const begun = performance.now()
  let endedAt = begun
  stage.hear = (member, verb, object) => {
    const name = ledger.write(member, verb, object)
    if (name === undefined) return
    const [told, want] = [ledger.sum(name), wanted.get(name) ?? 0]
    if (told > want) tooMany.add(name)
    if (told < want || !pending.delete(name)) return
    endedAt = performance.now()
    tally.succeed(begun, begun, endedAt)
  }
  for (const member of lost) {
    ledger.lose(member)
    stage.member(member).cut()
  }
  const left = new Map(touched.map((object) => [object, ledger.sum(object)]))
  await until(
    () => (pending.size === 0 ? undefined : `${pending.size} of ${touched.length} objects do not run elsewhere`),
    step.limit
  )
  const replicasMoved = touched.reduce((sum, object) => sum + ledger.sum(object) - (left.get(object) ?? 0), 0)
  // Those that are back run what has been replaced until they are told: from here on only rest is judged.
  stage.hear = (member, verb, object) => void ledger.write(member, verb, object)
  for (const member of lost) {
    ledger.find(member)
    stage.member(member).up = true
  }
  // What they still run is only taken away once the federation sees them again.
  await stage.allReady(step.limit)
  const atRest = () => {
    const all = [...wanted]
    for (const [object, want] of all) if (ledger.sum(object) > want) tooMany.add(object)
    return { tooMany: tooMany.size, tooFew: all.filter(([object, want]) => ledger.sum(object) < want).length }
  }
  const [membersLost, elsewhereMs] = [lost.length, endedAt - begun]
  return { objects: touched.length, endedAt, membersLost, replicasMoved, elsewhereMs, atRest }
}

/** Waves so far, of all steps: each has an image of its own. */
let images = 1

const wave = async ({ stage, step, tally }: Of<"rollout">, names: ReadonlyArray<string>): Promise<number> => {
  const image = `nginx:${++images}`
  const body = { spec: { template: { spec: { containers: [{ name: "web", image }] } } } }
  const missing = new Map(names.map((name) => [name, new Set<string>()]))
  for (const [name, member] of stage.members)
    for (const { metadata } of member.objects("deployments.apps")) missing.get(metadata.name ?? "")?.add(name)
  const flight = new Flight(tally)
  stage.hear = (member, verb, object) => {
    const { name = "" } = object.metadata
    const left = missing.get(name)
    if (object.kind !== "Deployment" || left === undefined) return
    // A copy that goes needs no new image.
    if (verb !== "delete" && imageOf(object) !== image) return
    if (left.delete(member) && left.size === 0) flight.arrived(name)
  }
  let next = 0
  const more = (): void => {
    while (next < names.length && flight.size < step.inFlight) {
      const name = names[next++] ?? ""
      flight.send(name, performance.now())
      stage.raw.patch(target(name), { type: "strategic", body }, {}, (answer) => {
        if (answer instanceof ApiFailure) flight.refused(name, answer)
      })
    }
  }
  flight.onEnd = more
  more()
  await flight.over(step.limit)
  return flight.endedAt
}

const rollout = async (context: Of<"rollout">): Promise<StepEnd> => {
  const { stage, step, tally } = context
  const names = new ReplicaLedger(stage.members).objects
  let endedAt = performance.now()
  for (let at = 0; at < step.waves; at++) {
    tally.planned += names.length
    endedAt = await wave(context, names)
  }
  return { objects: names.length * step.waves, endedAt }
}

const STOP_MS = 500

const restart = async ({ stage, step, tally }: Of<"restart">): Promise<StepEnd> => {
  const { objects } = new ReplicaLedger(stage.members)
  stage.stop()
  await pause(STOP_MS)
  stage.hostWrites = 0
  const begun = performance.now()
  tally.planned = 1
  tally.sent = 1
  await stage.start(step.limit)
  const endedAt = await stage.rest(step.limit)
  tally.succeed(begun, begun, endedAt)
  return { objects: objects.length, endedAt }
}

/** Does the step; every object of it is where it should be when this returns. */
export const runStep = ({ stage, step, tally }: StepContext): Promise<StepEnd> => {
  switch (step.kind) {
    case "create":
      return create({ stage, step, tally })
    case "outage":
      return outage({ stage, step, tally })
    case "rollout":
      return rollout({ stage, step, tally })
    case "restart":
      return restart({ stage, step, tally })
  }
}
