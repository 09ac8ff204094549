// `wharf serve scheduler`: our scheduler against any cluster that a kubeconfig names, in place of a kube-scheduler.
// Owns its flags, in kube-scheduler's names, and the election that lets one of several work; refuses to decide anything.
// A leader that loses its lease ends with an error, as kube-scheduler does: whoever starts it again starts with a fresh view.
import { hostname } from "node:os"
import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { type ApiFailure, electLeader, machineClockwork, randomSuffix } from "#kube"
import { stopAtSecondInterrupt } from "#storage"
import { Scheduler, type SchedulerOptions } from "../run/Scheduler.ts"
import { setUpScheduler } from "./SchedulerSetup.ts"
import type { LeaderElectionSettings } from "../config/SchedulerConfiguration.ts"

/** Somebody else leads now. */
export class LeadershipLost extends Schema.TaggedError<LeadershipLost>()("LeadershipLost", {
  message: Schema.String
}) {}

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

/** Flags that find a cluster and a configuration; `wharf explain` takes them too. */
export const setupFlags = {
  config: text("config", "A KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1); default: the default profile"),
  kubeconfig: text(
    "kubeconfig",
    "The cluster and who one is there; default: the configuration's, or as kubectl finds it"
  ),
  context: text("context", "The context of the kubeconfig; default: its current one"),
  schedulerName: text("scheduler-name", "Schedule pods of this spec.schedulerName alone, with the first profile")
}

const flags = {
  ...setupFlags,
  leaderElect: Flag.Boolean("leader-elect").pipe(
    Flag.withDescription("Work only while the lease is held; default: as the configuration says, which is yes"),
    Flag.optional
  )
}

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const startedScheduler = (options: SchedulerOptions): Scheduler => {
  const onFailure = (failure: ApiFailure): void => say(`watch: ${failure.message}`)
  const scheduler = new Scheduler({ ...options, instance: `default-scheduler-${hostname()}`, onFailure })
  scheduler.start()
  return scheduler
}

/** Stands for election; schedules while it leads and fails when it leads no longer. */
const lead = (options: SchedulerOptions, election: LeaderElectionSettings) =>
  Effect.callback<never, LeadershipLost>((resume) => {
    let scheduler: Scheduler | undefined
    const { leaseDurationMs, name, namespace, renewDeadlineMs, retryPeriodMs } = election
    const cancel = electLeader({
      client: options.client,
      clockwork: machineClockwork,
      name,
      namespace,
      identity: `${hostname()}_${randomSuffix(machineClockwork.random, 12)}`,
      leaseDurationMs,
      renewDeadlineMs,
      retryPeriodMs,
      started: () => {
        say(`leads: holds the lease ${namespace}/${name}`)
        scheduler = startedScheduler(options)
      },
      stopped: () => {
        scheduler?.stop()
        resume(Effect.fail(new LeadershipLost({ message: `lost the lease ${namespace}/${name}` })))
      },
      leader: (identity) => say(`leader: ${identity}`)
    })
    // The lease that is given up is on its way when the connections close.
    return Effect.sync(cancel).pipe(Effect.andThen(Effect.sleep("200 millis")))
  })

const run = Effect.fn("scheduling.command")(function* (given: Command.Command.Config.Infer<typeof flags>) {
  yield* stopAtSecondInterrupt
  const { configuration, options, server } = yield* setUpScheduler(given)
  const { leaderElection, profiles } = configuration
  yield* Console.log(`scheduling on ${server}: ${profiles.map(({ schedulerName }) => schedulerName).join(", ")}`)
  if (Option.getOrElse(given.leaderElect, () => leaderElection.enabled)) return yield* lead(options, leaderElection)
  yield* Effect.acquireRelease(
    Effect.sync(() => startedScheduler(options)),
    (scheduler) => Effect.sync(() => scheduler.stop())
  )
  return yield* Effect.never
}, Effect.scoped)

/** `wharf serve scheduler`. */
export const serveSchedulerCommand = Command.make("scheduler", flags, run).pipe(
  Command.withDescription("Run our scheduler against a cluster, in place of a kube-scheduler"),
  Command.withExamples([
    {
      command: "wharf serve scheduler --kubeconfig admin.conf",
      description: "the default profile, while the lease is held"
    },
    {
      command: "wharf serve scheduler --config scheduler.yaml --scheduler-name wharf --no-leader-elect",
      description: "beside another scheduler, for the pods that name it"
    }
  ])
)
