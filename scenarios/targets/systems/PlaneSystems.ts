// Which of our systems stand around the control plane of a run, and in which order: tracing before the API server starts, one front
// before it, the scheduler through that front.
// Owns this order and what is known of all of them at the end; each system has a file of its own.
import type { RunningPlane } from "#kind"
import { Effect } from "effect"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import type { Cluster } from "../../cluster/Cluster.ts"
import { openFederation, type Member } from "./FederationSystem.ts"
import { openGateway } from "./GatewaySystem.ts"
import { openScheduler } from "./SchedulerSystem.ts"
import type { Finish, OpenedSystem, RunFront, SystemProcess } from "./System.ts"
import { openTenancy } from "./TenancySystem.ts"
import { prepareTracing } from "./TracingSystem.ts"

/** All systems of a run. */
export interface OpenedSystems {
  readonly processes: ReadonlyArray<SystemProcess>
  readonly front: RunFront | undefined
  readonly finish: Effect.Effect<Finish>
}

const NOTHING: Finish = { violations: [], facts: {} }

/** What all of them know at the end. */
export const finished = (finishes: ReadonlyArray<Effect.Effect<Finish>>): Effect.Effect<Finish> =>
  Effect.map(Effect.all(finishes), (all) => ({
    violations: all.flatMap(({ violations }) => violations),
    facts: Object.assign({}, ...all.map(({ facts }) => facts)) as Finish["facts"]
  }))

interface Config {
  readonly clusters: ReadonlyArray<{ readonly cluster: { readonly server: string } }>
}

/** The server of a kubeconfig that we wrote ourselves. */
const serverOf = ({ kubeconfig }: RunFront): string => {
  const { clusters } = parse(readFileSync(kubeconfig, "utf8")) as Config
  return clusters[0].cluster.server
}

const openFront = (systems: Cluster["systems"], plane: RunningPlane, folder: string, members: ReadonlyArray<Member>) =>
  Effect.gen(function* () {
    if (systems.includes("gateway")) return yield* openGateway({ plane, folder: made(folder, "gateway") })
    if (systems.includes("tenancy")) return yield* openTenancy({ plane, folder: made(folder, "tenancy") })
    if (systems.includes("federation")) return yield* openFederation(made(folder, "federation"), members)
    return undefined
  })

const made = (folder: string, name: string): string => {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}

/** What must be known before the API server starts, and how the systems are opened once it answers. */
export const prepareSystems = ({ systems }: Cluster, folder: string) =>
  Effect.gen(function* () {
    const tracing = systems.includes("tracing") ? yield* prepareTracing(join(folder, "tracing")) : undefined
    const open = (plane: RunningPlane, members: ReadonlyArray<Member>) =>
      Effect.gen(function* () {
        const first = tracing === undefined ? [] : [yield* tracing.open(plane)]
        const front = yield* openFront(systems, plane, folder, members)
        const all: Array<OpenedSystem> = [...first, ...(front === undefined ? [] : [front])]
        if (systems.includes("scheduler")) {
          const through = front?.front?.clients === "all" ? serverOf(front.front) : undefined
          all.push(yield* openScheduler({ plane, folder: made(folder, "scheduler") }, through))
        }
        const opened: OpenedSystems = {
          processes: all.flatMap(({ processes }) => processes),
          front: front?.front,
          finish: finished(all.map(({ finish }) => finish ?? Effect.succeed(NOTHING)))
        }
        return opened
      })
    return { apiServerFlags: tracing?.flags ?? [], open }
  })
