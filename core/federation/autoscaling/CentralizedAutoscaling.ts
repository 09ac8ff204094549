// Autoscaling decided on the host: an HPA controller over the fleet as one cluster, while there is an HPA that asks for it.
// Owns when it runs and whose pods it sees; refuses the controller itself, which whoever wires the rooms brings. It starts only when
// every member has been heard of once, because a fleet that looks smaller than it is would be scaled down.
import type { Cancel, Client, Clockwork, ClockworkRuntime, Informer } from "#kube"
import { fleetClient, scaledNamespaces } from "./FleetClient.ts"
import { FleetPods } from "./FleetPods.ts"

export interface CentralizedAutoscalingOptions {
  readonly clockwork: Clockwork
  readonly runtime: ClockworkRuntime
  readonly host: Client
  /** Of the host's HorizontalPodAutoscalers. */
  readonly autoscalers: Informer
  /** The joined clusters. */
  readonly clusters: () => ReadonlyArray<string>
  readonly memberClient: (cluster: string) => Client | undefined
  /** Starts an HPA controller over a view of the fleet; the answer stops it. */
  readonly start: (view: Client) => Cancel
}

export interface CentralizedAutoscaling {
  /** A cluster joined, left, was lost or is heard of again. */
  readonly clusterChanged: () => void
  readonly stop: () => void
}

/** Between two looks at members that have not been heard of yet, in milliseconds. */
const LOOK_AGAIN_MS = 1000

/** Runs it from now on. */
export const startCentralizedAutoscaling = (options: CentralizedAutoscalingOptions): CentralizedAutoscaling => {
  const { autoscalers, clockwork, clusters, host, memberClient, runtime, start } = options
  const pods = new FleetPods({ clockwork, client: memberClient })
  const view = fleetClient({ host, pods, clusters, client: memberClient, runtime })
  let running: Cancel | undefined
  let again: Cancel | undefined
  const look = (): void => {
    again?.()
    again = undefined
    const namespaces = scaledNamespaces([...autoscalers.store.all()])
    pods.follow(namespaces.length === 0 ? [] : clusters(), namespaces)
    if (namespaces.length === 0) {
      running?.()
      running = undefined
    } else if (running === undefined) {
      if (pods.isKnown) running = start(view)
      else again = clockwork.after(LOOK_AGAIN_MS, look)
    }
  }
  const cancel = autoscalers.addHandler({ added: look, updated: look, deleted: look })
  return {
    clusterChanged: look,
    stop: () => {
      cancel()
      again?.()
      running?.()
      pods.stop()
    }
  }
}
