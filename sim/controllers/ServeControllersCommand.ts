// `wharf serve controllers`: the same controllers, against any cluster that a kubeconfig names.
// Owns its flags, in kube-controller-manager's names where it has them, and what it prints; refuses to know what controllers do.
import { hostname } from "node:os"
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { type ApiFailure, httpClient, loadAccess, machineClockwork, randomSuffix } from "#kube"
import { stopAtSecondInterrupt } from "#storage"
import { parseGoDuration } from "../nodes/GoDuration.ts"
import { controllerManager, type LeaderElectionSettings, MANAGER_NAME } from "./ControllerManager.ts"
import { allControllers, chooseControllers, ControllersInvalid } from "./Controllers.ts"

const RENEW_JITTER = 1.2

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

/** A time as Go writes it, like "15s" or "1m30s". */
const goTime = (name: string, description: string, usual: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.withDefault(usual))

/** One flag for each controller whose looks may run side by side. */
const syncsFlags = Object.fromEntries(
  allControllers.flatMap(({ syncs = 1, syncsFlag }) =>
    syncsFlag === undefined
      ? []
      : [
          [
            syncsFlag,
            Flag.Int(syncsFlag).pipe(
              Flag.withDescription("Objects of this kind that are worked on at the same time"),
              Flag.withDefault(syncs)
            )
          ] as const
        ]
  )
)

const flags = {
  kubeconfig: text("kubeconfig", "The cluster and who one is there; default: as kubectl finds it"),
  context: text("context", "The context of the kubeconfig; default: its current one"),
  controllers: Flag.String("controllers").pipe(
    Flag.withDescription("Which run, separated by commas: * is all, name turns one on, -name turns one off"),
    Flag.withDefault("*")
  ),
  leaderElect: Flag.Boolean("leader-elect").pipe(
    Flag.withDescription(
      "Work only while the lease is held; --no-leader-elect works at once, beside whoever else does"
    ),
    Flag.withDefault(true)
  ),
  leaseName: Flag.String("leader-elect-resource-name").pipe(
    Flag.withDescription("The lease; by default that of a kube-controller-manager, so that only one of both works"),
    Flag.withDefault(MANAGER_NAME)
  ),
  leaseNamespace: Flag.String("leader-elect-resource-namespace").pipe(
    Flag.withDescription("Where the lease is"),
    Flag.withDefault("kube-system")
  ),
  leaseDuration: goTime("leader-elect-lease-duration", "How long others wait after the last renewal", "15s"),
  renewDeadline: goTime("leader-elect-renew-deadline", "How long a leader goes on without a renewal", "10s"),
  retryPeriod: goTime("leader-elect-retry-period", "Between two attempts", "2s"),
  qps: Flag.Finite("kube-api-qps").pipe(
    Flag.withDescription("Requests a second that each controller sends at most; 0: as fast as it can"),
    Flag.withDefault(0)
  ),
  burst: Flag.Int("kube-api-burst").pipe(
    Flag.withDescription("Requests that each controller may send at once after a rest, where --kube-api-qps is given"),
    Flag.withDefault(30)
  ),
  syncs: syncsFlags
}

interface Given {
  readonly kubeconfig: string | undefined
  readonly context: string | undefined
  readonly controllers: string
  readonly leaderElect: boolean
  readonly leaseName: string
  readonly leaseNamespace: string
  readonly leaseDuration: string
  readonly renewDeadline: string
  readonly retryPeriod: string
  readonly qps: number
  readonly burst: number
  readonly syncs: Readonly<Record<string, number>>
}

const misuse = (userMessage: string): CliError.UserError =>
  new CliError.UserError({ cause: new Error(userMessage), userMessage })

interface Terms {
  readonly leaseDurationMs: number
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
}

/** The times of the election, in the relation that upstream asks for; or what is wrong with them. */
const termsOf = ({ leaseDuration, renewDeadline, retryPeriod }: Given): Terms | string => {
  const leaseDurationMs = parseGoDuration(leaseDuration)
  const renewDeadlineMs = parseGoDuration(renewDeadline)
  const retryPeriodMs = parseGoDuration(retryPeriod)
  if (leaseDurationMs === undefined || renewDeadlineMs === undefined || retryPeriodMs === undefined)
    return "--leader-elect-lease-duration, -renew-deadline and -retry-period are times like 15s or 1m30s"
  if (leaseDurationMs <= renewDeadlineMs)
    return "--leader-elect-lease-duration must be longer than --leader-elect-renew-deadline"
  return renewDeadlineMs <= retryPeriodMs * RENEW_JITTER
    ? "--leader-elect-renew-deadline must be longer than --leader-elect-retry-period times 1.2"
    : { leaseDurationMs, renewDeadlineMs, retryPeriodMs }
}

const electionOf = (given: Given, terms: Terms): LeaderElectionSettings => ({
  ...terms,
  identity: `${hostname()}_${randomSuffix(machineClockwork.random, 12)}`,
  namespace: given.leaseNamespace,
  name: given.leaseName,
  changed: (leads) => say(leads ? "leads: the controllers work" : "leads no longer: the controllers stand still")
})

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const run = Effect.fn("controllers.command")(function* (given: Given) {
  const terms = termsOf(given)
  if (typeof terms === "string") return yield* misuse(terms)
  const few = Object.entries(given.syncs).find(([, count]) => count < 1)
  if (few !== undefined) return yield* misuse(`--${few[0]} ${few[1]}: must be at least 1`)
  if (given.qps < 0) return yield* misuse(`--kube-api-qps ${given.qps}: must be 0 or more`)
  if (given.burst < 1) return yield* misuse(`--kube-api-burst ${given.burst}: must be at least 1`)
  const chosen = chooseControllers(given.controllers.split(",").filter((one) => one !== ""))
  if (chosen instanceof ControllersInvalid) return yield* misuse(`--controllers: ${chosen.message}`)
  if (chosen.length === 0) return yield* misuse("--controllers: none is left")
  yield* stopAtSecondInterrupt
  const { burst, context, kubeconfig, leaderElect, qps, syncs } = given
  const access = yield* loadAccess({ ...(kubeconfig && { kubeconfig }), ...(context && { context }) })
  const client = yield* httpClient({ access, userAgent: MANAGER_NAME })
  const manager = controllerManager({
    controllers: chosen,
    rate: qps === 0 ? undefined : { qps, burst },
    syncs: new Map(
      chosen.flatMap(({ name, syncsFlag = "" }) => (syncsFlag in syncs ? [[name, syncs[syncsFlag] ?? 1]] : []))
    ),
    onFailure: (controller: string, key: string, failure: ApiFailure) =>
      say(`${controller}${key === "" ? "" : ` ${key}`}: ${failure.message}`),
    ...(leaderElect && { leaderElection: electionOf(given, terms) })
  })
  yield* Console.log(`controllers on ${access.cluster.server}: ${chosen.map(({ name }) => name).join(", ")}`)
  yield* Effect.acquireRelease(
    Effect.sync(() => manager.start({ name: manager.name, clockwork: machineClockwork, client })),
    (stop) =>
      // A lease that is given up is on its way when the connections close.
      Effect.andThen(
        Effect.sync(() => stop?.()),
        leaderElect ? Effect.sleep("200 millis") : Effect.void
      )
  )
  return yield* Effect.never
}, Effect.scoped)

/** `wharf serve controllers`. */
export const serveControllersCommand = Command.make("controllers", flags, run).pipe(
  Command.withDescription("Run our controllers against a cluster, in place of a kube-controller-manager"),
  Command.withExamples([
    { command: "wharf serve controllers --kubeconfig admin.conf", description: "all of them, while the lease is held" },
    {
      command: "wharf serve controllers --controllers deployment-controller,replicaset-controller --no-leader-elect",
      description: "two of them, at once"
    }
  ])
)
