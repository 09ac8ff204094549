// The fixed upstream as the runner sees it: one child process per endpoint, told its settings and asked for its counts over IPC.
// Owns the children; what they answer is FixedServer.ts's.
import { ServerFailed } from "#kind"
import { Effect, Option, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { packageVersion } from "../../PackageRoot.ts"
import type { FrontProcess } from "../FrontProcess.ts"
import type { FixedCommand, FixedCounts, FixedReport, FixedSettings } from "./FixedServer.ts"
import type { RunningUpstream, UpstreamCounts, UpstreamSettings } from "./Upstream.ts"

const startWithinMs = 30_000
const countWithinMs = 30_000

const failed = (reason: string) => new ServerFailed({ backend: "fixed", reason, log: "" })

const told = (child: ChildProcess, command: FixedCommand): Effect.Effect<FixedReport, ServerFailed> =>
  Effect.callback((resume) => {
    const onMessage = (report: FixedReport) => {
      if (command.type === "count" && !(report.type === "counts" && report.number === command.number)) return
      quiet()
      resume(Effect.succeed(report))
    }
    const onExit = () => {
      quiet()
      resume(failed("the fixed upstream ended"))
    }
    const quiet = () => {
      child.off("message", onMessage)
      child.off("exit", onExit)
    }
    child.on("message", onMessage)
    child.once("exit", onExit)
    child.send(command, (cause) => {
      if (cause !== null) onExit()
    })
    return Effect.sync(quiet)
  })

const start = (settings: FixedSettings): Effect.Effect<{ child: ChildProcess; port: number }, ServerFailed> =>
  Effect.gen(function* () {
    // IPC ends with the runner, and the process with it.
    const child = fork(fileURLToPath(new URL("./FixedServer.ts", import.meta.url)), {
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    const report = yield* told(child, { type: "open", settings }).pipe(
      Effect.timeoutOrElse({
        duration: startWithinMs,
        orElse: () => Effect.fail(failed("the fixed upstream did not start"))
      }),
      Effect.onError(() => Effect.sync(() => void child.kill("SIGKILL")))
    )
    if (report.type === "open") return { child, port: report.port }
    child.kill("SIGKILL")
    return yield* failed(report.type === "failed" ? report.reason : "the fixed upstream did not say its port")
  })

interface OneFixed {
  readonly process: FrontProcess
  readonly port: number
  /** Undefined when it cannot be asked. */
  readonly count: Effect.Effect<FixedCounts | undefined>
}

let asked = 0

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const openOne = (settings: FixedSettings, name: string): Effect.Effect<OneFixed, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const current = yield* Effect.acquireRelease(start(settings), ({ child }) => ended(child))
    const { port } = current
    // What was counted before a restart.
    let before = { requests: 0, reviews: 0 }
    const count = Effect.suspend(() => told(current.child, { type: "count", number: ++asked })).pipe(
      Effect.timeoutOption(countWithinMs),
      Effect.map((report) =>
        Option.isSome(report) && report.value.type === "counts" ? report.value.counts : undefined
      ),
      Effect.orElseSucceed(() => undefined),
      Effect.map(
        (counts): FixedCounts | undefined =>
          counts && {
            ...counts,
            requests: before.requests + counts.requests,
            reviews: before.reviews + counts.reviews
          }
      )
    )
    const restart = (downMs: number) =>
      Effect.gen(function* () {
        before = (yield* count) ?? before
        yield* ended(current.child)
        yield* Effect.sleep(downMs)
        const startedAt = performance.now()
        current.child = (yield* start({ ...settings, port })).child
        return performance.now() - startedAt
      })
    return { process: { name, role: "upstream", pid: () => current.child.pid, forks: false, restart }, port, count }
  })

/** Starts as many as the front has upstreams. */
export const openFixed = ({
  certificates,
  front
}: UpstreamSettings): Effect.Effect<RunningUpstream, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const settings: FixedSettings = {
      port: 0,
      tls: { ...certificates.server, ca: certificates.ca },
      objects: front.objects.map(({ bytes, resource }) => ({ bytes, resource })),
      listItems: front.fixed.listItems,
      delayMs: front.fixed.delay
    }
    const all = yield* Effect.forEach(Array.from({ length: front.upstreams }), (_, index) =>
      openOne(settings, front.upstreams === 1 ? "upstream" : `upstream ${index + 1}`)
    )
    const sum = (counts: ReadonlyArray<FixedCounts | undefined>, of: (counts: FixedCounts) => number): number | null =>
      counts.reduce<number | null>((so, one) => (so === null || one === undefined ? null : so + of(one)), 0)
    const count = Effect.map(
      Effect.forEach(all, (one) => one.count, { concurrency: "unbounded" }),
      (counts): UpstreamCounts => ({
        requests: sum(counts, ({ requests }) => requests),
        reviews: sum(counts, ({ reviews }) => reviews),
        connections: sum(counts, ({ connections }) => connections)
      })
    )
    return {
      version: packageVersion(),
      ports: all.map(({ port }) => port),
      processes: all.map(({ process }) => process),
      ca: certificates.ca,
      count,
      connections: Effect.map(count, ({ connections }) => connections),
      keepsObjects: false
    }
  })
