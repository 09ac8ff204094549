// Runs one phase against a tracing server inside the load generator: drives the loads, reports every second, and gives the account.
// Owns the order of these steps. Timing of calls is LoadDriver.ts's; what a call is, is TracingCall.ts's.
import type { ConnectFailed, GrpcClient } from "#net"
import { Effect, Schedule, type Scope } from "effect"
import { LoadDriver } from "../../generator/LoadDriver.ts"
import { beatMs, driveLoads, phaseFacts } from "../../generator/PhaseSteps.ts"
import type { Report, TracingPhaseResult } from "../../generator/Protocol.ts"
import { Tally } from "../../generator/Tally.ts"
import { recordedName } from "../../Operation.ts"
import type { PacedPhase } from "../PacedPhase.ts"
import { TracingCall, type TracingRunning } from "./TracingCall.ts"
import type { TracingContext } from "./TracingContext.ts"

const kinds = { audit: "write", search: "read", trace: "read" } as const

/** One phase, from its first call to its account. */
export const runTracingPhase = (
  phase: PacedPhase,
  context: TracingContext,
  emit: (report: Report) => void
): Effect.Effect<TracingPhaseResult, ConnectFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const reads = phase.load.some(({ mix }) => mix.some(({ op }) => op === "trace"))
    const storage: GrpcClient | undefined = reads ? yield* context.storage : undefined
    const notes: Array<string> = []
    const drivers: Array<LoadDriver<TracingRunning>> = []
    const loads = phase.load.map((load) => ({
      load,
      operations: load.mix.map((operation): TracingRunning => {
        const name = recordedName(phase.load.length, load.name, operation.name ?? operation.op)
        const tally = new Tally(name, kinds[operation.op], load.shape.parallelismLimitedLoad === undefined)
        return { operation, tally, weight: operation.weight }
      })
    }))
    const tallies = loads.flatMap(({ operations }) => operations.map(({ tally }) => tally))
    const beat = (): void => {
      for (const driver of drivers) driver.sweep()
      const inFlight = drivers.reduce((sum, driver) => sum + driver.inFlight, 0)
      emit({ type: "second", at: Date.now(), inFlight, operations: tallies.map((tally) => tally.second()) })
    }
    context.startPhase()
    const startedAt = performance.timeOrigin + context.now
    const cpu = process.cpuUsage()
    yield* Effect.sync(beat).pipe(Effect.delay(beatMs), Effect.schedule(Schedule.fixed(beatMs)), Effect.forkScoped)
    const begins = loads.map(({ load, operations }) => (onEnd: () => void): void => {
      const driver = new LoadDriver<TracingRunning>({
        load,
        operations,
        context,
        newPlace: (_, owner) => new TracingCall(context, storage, owner),
        connected: () => storage?.ready ?? true,
        onEnd: (note) => {
          if (note !== undefined) notes.push(note)
          onEnd()
        }
      })
      drivers.push(driver)
      driver.start()
    })
    yield* driveLoads(begins, phase.order)
    context.tick()
    const used = process.cpuUsage(cpu)
    const span = {
      startedAt,
      endedAt: performance.timeOrigin + context.now,
      cpuSeconds: (used.user + used.system) / 1e6
    }
    const connections = phase.load.reduce((sum, { inFlightMax, shape }) => {
      return sum + (shape.parallelismLimitedLoad?.parallelismLimit ?? inFlightMax)
    }, 0)
    return {
      type: "tracingPhase",
      seen: context.seen,
      result: {
        type: "phase",
        operations: tallies.map((tally) => tally.record(phase.name)),
        watches: [],
        facts: phaseFacts(span, { context, drivers, tallies, connections, notes })
      }
    }
  })
