// Controllers joined into one process: a client each, one set of shared informers, one recorder of events, perhaps one leader at a time.
// Owns their start and stop; refuses to know what any of them does.
import {
  type ApiFailure,
  type Cancel,
  type Client,
  type ClientRate,
  type Clockwork,
  type Controller,
  electLeader,
  InformerFactory,
  limitedClient
} from "#kube"
import type { ControllerStart } from "../World.ts"
import { EventRecorder } from "./EventRecorder.ts"
import type { Manager, NamedController } from "./Manager.ts"

export interface LeaderElectionSettings {
  /** Other than every other candidate's. */
  readonly identity: string
  /** Default "kube-system". */
  readonly namespace?: string
  /** Default "kube-controller-manager". */
  readonly name?: string
  readonly leaseDurationMs?: number
  readonly renewDeadlineMs?: number
  readonly retryPeriodMs?: number
  /** Leads from now on, or no longer. */
  readonly changed?: (leads: boolean) => void
}

export interface ControllerManagerOptions {
  readonly controllers: ReadonlyArray<NamedController>
  /** Only the leader works. Without it the controllers start at once. */
  readonly leaderElection?: LeaderElectionSettings
  /** Keys worked on at the same time, by the controller's name, where it is not its own default. */
  readonly syncs?: ReadonlyMap<string, number>
  /** How fast each controller may ask, by itself; absent: as fast as it can. Informers and the recorder of events are not held up. */
  readonly rate?: ClientRate | undefined
  readonly onFailure?: (controller: string, key: string, failure: ApiFailure) => void
}

/** Where a manager's parts come from. */
export interface ManagerOptions {
  readonly client: Client
  readonly clockwork: Clockwork
  readonly syncs?: (controller: string) => number
  readonly onFailure?: (controller: string, key: string, failure: ApiFailure) => void
}

export const MANAGER_NAME = "kube-controller-manager"

/** A manager with informers of its own, which whoever made it starts and stops. */
export const makeManager = ({ client, clockwork, onFailure, syncs = () => 1 }: ManagerOptions): Manager => ({
  client,
  clockwork,
  informers: new InformerFactory({
    client,
    clockwork,
    onFailure: (failure) => onFailure?.("informers", "", failure)
  }),
  events: new EventRecorder({ client, clockwork }),
  syncs,
  failed: (controller, key, failure) => onFailure?.(controller, key, failure)
})

/** Makes and starts controllers; the answer stops them all. */
export const startControllers = (
  options: ControllerManagerOptions,
  context: { readonly client: Client; readonly clockwork: Clockwork }
): Cancel => {
  const { controllers, onFailure, rate, syncs } = options
  const usual = new Map(controllers.map(({ name, syncs = 1 }) => [name, syncs]))
  const manager = makeManager({
    ...context,
    syncs: (name) => syncs?.get(name) ?? usual.get(name) ?? 1,
    ...(onFailure && { onFailure })
  })
  const { client, clockwork } = context
  const made: ReadonlyArray<Controller> = controllers.flatMap(({ make }) =>
    make(rate === undefined ? manager : { ...manager, client: limitedClient(client, rate, clockwork) })
  )
  for (const controller of made) controller.start()
  manager.informers.start()
  return () => {
    for (const controller of made) controller.stop()
    manager.informers.stop()
    manager.events.stop()
  }
}

/** All these controllers as one process of a world, or of a real machine. */
export const controllerManager = (options: ControllerManagerOptions): ControllerStart => ({
  name: MANAGER_NAME,
  start: ({ client, clockwork }) => {
    const { leaderElection } = options
    if (leaderElection === undefined) return startControllers(options, { client, clockwork })
    const { changed, name = MANAGER_NAME, namespace = "kube-system", ...terms } = leaderElection
    let stop: Cancel | undefined
    return electLeader({
      ...terms,
      clockwork,
      client,
      namespace,
      name,
      started: () => {
        stop = startControllers(options, { client, clockwork })
        changed?.(true)
      },
      stopped: () => {
        stop?.()
        stop = undefined
        changed?.(false)
      }
    })
  }
})
