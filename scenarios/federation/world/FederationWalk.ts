// One run of a federation, step after step: each is done, awaited until rest, and recorded.
// Owns that order and what the record says of it; what a step does is FederationSteps.ts's.
import type { RecordedFederationStep, RecordedOperation, RecordedPhase, Violation } from "#reports"
import { Tally } from "../../generator/Tally.ts"
import type { Federation, FederationStep } from "../Federation.ts"
import { runStep, type StepEnd } from "./FederationSteps.ts"
import type { FederationReport, FederationResult } from "./Protocol.ts"
import { Stage } from "./Stage.ts"

const SECOND_MS = 1000
const START_LIMIT_MS = 300_000
const LATE_SHARE = 0.05

/** What an object's way is called where its latency stands. */
const operationOf = {
  create: "apply to request on a member",
  outage: "loss to replicas elsewhere",
  rollout: "change to the last member",
  restart: "start to rest"
} as const satisfies Record<FederationStep["kind"], string>

const isOpen = (step: FederationStep): boolean => step.kind === "create" && step.perSecond !== undefined

/** While objects were applied in time, the plan counts over the whole step, its last arrivals included. */
const targetPerS = (step: FederationStep, { lateMs = 0, objects }: StepEnd, elapsedMs: number): number | null => {
  if (step.kind !== "create" || step.perSecond === undefined) return null
  const planMs = (objects * 1000) / step.perSecond
  return lateMs > planMs * LATE_SHARE ? step.perSecond : (objects * 1000) / Math.max(1, elapsedMs)
}

const clientsOf = (step: FederationStep, { objects }: StepEnd): number =>
  "inFlight" in step && !isOpen(step) ? step.inFlight : Math.max(1, objects)

const ms = (value: number): number => Math.round(value * 10) / 10

/** One step's record, and what was broken. */
interface Walked {
  readonly phase: RecordedPhase
  readonly operation: RecordedOperation
  readonly step: RecordedFederationStep
  readonly violations: ReadonlyArray<Violation>
}

/** Tells of each second of a step while it lasts; the answer ends that. */
const telling = (tally: Tally, say: (report: FederationReport) => void): (() => void) => {
  const tell = (): void =>
    say({
      type: "second",
      at: Date.now(),
      inFlight: tally.sent - tally.completed - tally.failed,
      operations: [tally.second()]
    })
  const timer = setInterval(tell, SECOND_MS)
  return () => {
    clearInterval(timer)
    tell()
  }
}

const violationsOf = (step: FederationStep, seen: ReturnType<NonNullable<StepEnd["atRest"]>> | undefined) => {
  const told = (rule: string, count: number): ReadonlyArray<Violation> =>
    count === 0 ? [] : [{ rule, text: `${step.name}: ${count} objects` }]
  return seen === undefined
    ? []
    : [...told("no replica runs twice", seen.tooMany), ...told("every replica runs somewhere", seen.tooFew)]
}

const walkStep = async (
  stage: Stage,
  step: FederationStep,
  startedAt: number,
  say: (report: FederationReport) => void
): Promise<Walked> => {
  const open = isOpen(step)
  const tally = new Tally(`${step.name}: ${operationOf[step.kind]}`, "other", open)
  say({ type: "step", name: step.name })
  const quiet = telling(tally, say)
  const begun = performance.now()
  stage.hostWrites = 0
  const end = await runStep({ stage, step, tally }).finally(quiet)
  const restMs = (await stage.rest(step.limit)) - begun
  stage.hear = () => {}
  const seen = end.atRest?.()
  const elapsedMs = end.endedAt - begun
  return {
    phase: {
      name: step.name,
      kind: step.judged ? "measure" : "prepare",
      startMs: ms(begun - startedAt),
      endMs: ms(end.endedAt - startedAt),
      loop: open || !("inFlight" in step) ? "open" : "closed",
      clients: clientsOf(step, end),
      targetPerS: targetPerS(step, end, elapsedMs)
    },
    operation: tally.record(step.name),
    step: {
      step: step.name,
      kind: step.kind,
      objects: end.objects,
      placements: stage.placements(),
      hostWrites: stage.hostWrites,
      restMs: ms(Math.max(restMs, elapsedMs)),
      membersLost: end.membersLost ?? null,
      replicasMoved: end.replicasMoved ?? null,
      elsewhereMs: end.elsewhereMs === undefined ? null : ms(end.elsewhereMs),
      tooMany: seen?.tooMany ?? null,
      memoryBytes: process.memoryUsage.rss()
    },
    violations: violationsOf(step, seen)
  }
}

const podsOf = (stage: Stage): number =>
  [...stage.members.values()].reduce((sum, { running }) => sum + running, 0) +
  stage.federation.members.count * stage.federation.members.pods

/** Walks through all steps on a federation of its own. */
export const walkFederation = async (
  federation: Federation,
  say: (report: FederationReport) => void
): Promise<FederationResult> => {
  say({ type: "step", name: `${federation.members.count} members join` })
  const stage = await Stage.open(federation)
  await stage.start(START_LIMIT_MS)
  await stage.rest(START_LIMIT_MS)
  const [startedAt, begun] = [Date.now(), performance.now()]
  const walked: Array<Walked> = []
  for (const step of federation.steps) {
    const one = await walkStep(stage, step, begun, say).catch((cause: unknown) => {
      throw new Error(`step ${step.name}: ${cause instanceof Error ? cause.message : String(cause)}`)
    })
    walked.push(one)
  }
  const pods = podsOf(stage)
  stage.stop()
  const { members, placement } = federation
  return {
    type: "result",
    startedAt,
    endedAt: Date.now(),
    phases: walked.map(({ phase }) => phase),
    operations: walked.map(({ operation }) => operation),
    federation: {
      members: members.count,
      nodes: members.count * members.nodes,
      pods,
      replicas: placement.replicas,
      steps: walked.map(({ step }) => step)
    },
    violations: walked.flatMap(({ violations }) => violations)
  }
}
