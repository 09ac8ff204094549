// The controllers of an API server on which no workload runs, such as a federation's host: what keeps objects in order, and nothing that
// would start a pod.
// Owns that choice and their life beside a server in a process; refuses what they do.
import type { RunningApiServer } from "#apiserver"
import { type Cancel, type Client, machineClockwork } from "#kube"
import { startControllers } from "../controllers/ControllerManager.ts"
import { autoscalerController } from "../controllers/autoscaling/AutoscalerController.ts"
import { upkeepControllers, upkeepControllersWith } from "../controllers/UpkeepControllers.ts"
import { managingClient } from "./ManagingClient.ts"

const KEEPING: ReadonlySet<string> = new Set([
  "serviceaccount-controller",
  "clusterrole-aggregation-controller",
  "namespace-controller",
  "garbage-collector-controller"
])

/** Starts them; the answer stops them. */
export const hostControllers = (client: Client, { authority, signToken }: RunningApiServer): Cancel => {
  const rootCa = authority && { rootCa: authority.cert }
  const controllers = [
    ...upkeepControllers.filter(({ name }) => KEEPING.has(name)),
    ...upkeepControllersWith({ tokens: { sign: signToken, ...rootCa } })
  ]
  return startControllers(
    { controllers },
    { client: managingClient(client, "kube-controller-manager"), clockwork: machineClockwork }
  )
}

/** Starts the HPA controller alone, over whatever a client shows as a cluster; the answer stops it. */
export const hostAutoscaler = (client: Client): Cancel =>
  startControllers(
    {
      controllers: [
        { name: "horizontal-pod-autoscaler-controller", make: (manager) => autoscalerController(manager), syncs: 5 }
      ]
    },
    { client, clockwork: machineClockwork }
  )
