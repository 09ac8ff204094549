// What a scheduler on a real cluster is made of: the configuration file, the kubeconfig and the client that they lead to.
// Owns the order of precedence (flags before the file) and the errors of both; refuses to start anything.
import { Effect, FileSystem, Schema } from "effect"
import { httpClient, loadAccess, machineClockwork } from "#kube"
import {
  ConfigurationInvalid,
  defaultConfiguration,
  parseSchedulerConfiguration,
  type SchedulerConfiguration
} from "../config/SchedulerConfiguration.ts"
import { Extender } from "../extenders/Extender.ts"
import { extenderTransport } from "../extenders/ExtenderTransportAdapter.ts"
import type { SchedulerOptions } from "../run/Scheduler.ts"

/** A KubeSchedulerConfiguration that cannot be used; `message` names the file, the field and the rule. */
export class SchedulerFileInvalid extends Schema.TaggedError<SchedulerFileInvalid>()("SchedulerFileInvalid", {
  message: Schema.String
}) {}

export interface SetupFlags {
  readonly config: string | undefined
  readonly kubeconfig: string | undefined
  readonly context: string | undefined
  /** Serves the pods of this name alone, with the first profile. */
  readonly schedulerName: string | undefined
}

const readConfiguration = Effect.fnUntraced(function* (file: string | undefined) {
  if (file === undefined) return defaultConfiguration
  const files = yield* FileSystem.FileSystem
  const text = yield* files
    .readFileString(file)
    .pipe(Effect.mapError(() => new SchedulerFileInvalid({ message: `--config ${file}: cannot be read` })))
  const read = parseSchedulerConfiguration(text)
  if (!(read instanceof ConfigurationInvalid)) return read
  return yield* new SchedulerFileInvalid({ message: `--config ${file}: ${read.message}` })
})

const renamed = (configuration: SchedulerConfiguration, name: string | undefined): SchedulerConfiguration => {
  const [first] = configuration.profiles
  if (name === undefined || first === undefined) return configuration
  return { ...configuration, profiles: [{ ...first, schedulerName: name }] }
}

/** A configuration, the server's address and what a Scheduler takes, for the life of the scope. */
export const setUpScheduler = Effect.fn("scheduling.setUp")(function* (flags: SetupFlags) {
  const configuration = renamed(yield* readConfiguration(flags.config), flags.schedulerName)
  const kubeconfig = flags.kubeconfig ?? configuration.kubeconfig
  const { context } = flags
  const access = yield* loadAccess({ ...(kubeconfig && { kubeconfig }), ...(context && { context }) })
  const client = yield* httpClient({ access, userAgent: "kube-scheduler" })
  const { extenders, initialBackoffMs, maxBackoffMs, profiles } = configuration
  const options: SchedulerOptions = {
    client,
    clockwork: machineClockwork,
    profiles,
    initialBackoffMs,
    maxBackoffMs,
    extenders: extenders.map((fields) => new Extender(fields, extenderTransport(fields)))
  }
  return { configuration, server: access.cluster.server, options }
})
