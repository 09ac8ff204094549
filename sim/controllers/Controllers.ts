// Every controller that there is, by the names of upstream's kube-controller-manager, and which of them a list like "*,-job" means.
// Owns the list: a controller that is not in it never runs. Refuses to know what they do.
import { daemonSetController } from "./apps/DaemonSets.ts"
import { deploymentController } from "./apps/Deployments.ts"
import { replicaSetController, replicationControllerController } from "./apps/Replicas.ts"
import { statefulSetController } from "./apps/StatefulSets.ts"
import { autoscalerController } from "./autoscaling/AutoscalerController.ts"
import { cronJobController } from "./batch/CronJobController.ts"
import { jobController } from "./batch/JobController.ts"
import { ttlAfterFinished } from "./batch/TtlAfterFinished.ts"
import { disruptionController } from "./disruption/DisruptionController.ts"
import type { NamedController } from "./Manager.ts"
import { upkeepControllers } from "./UpkeepControllers.ts"

/** In the order in which they are started. */
export const allControllers: ReadonlyArray<NamedController> = [
  {
    name: "replicationcontroller-controller",
    make: replicationControllerController,
    syncs: 5,
    syncsFlag: "concurrent_rc_syncs"
  },
  { name: "replicaset-controller", make: replicaSetController, syncs: 5, syncsFlag: "concurrent-replicaset-syncs" },
  { name: "deployment-controller", make: deploymentController, syncs: 5, syncsFlag: "concurrent-deployment-syncs" },
  { name: "statefulset-controller", make: statefulSetController, syncs: 5, syncsFlag: "concurrent-statefulset-syncs" },
  { name: "daemonset-controller", make: daemonSetController, syncs: 2, syncsFlag: "concurrent-daemonset-syncs" },
  { name: "job-controller", make: jobController, syncs: 5, syncsFlag: "concurrent-job-syncs" },
  { name: "cronjob-controller", make: cronJobController, syncs: 5, syncsFlag: "concurrent-cron-job-syncs" },
  {
    name: "ttl-after-finished-controller",
    make: ttlAfterFinished,
    syncs: 5,
    syncsFlag: "concurrent-ttl-after-finished-syncs"
  },
  { name: "disruption-controller", make: disruptionController, syncsFlag: "concurrent-disruption-syncs" },
  {
    name: "horizontal-pod-autoscaler-controller",
    make: (manager) => autoscalerController(manager),
    syncs: 5,
    syncsFlag: "concurrent-horizontal-pod-autoscaler-syncs"
  },
  ...upkeepControllers
]

/** Why a list of controllers cannot be. */
export class ControllersInvalid extends Error {
  readonly _tag = "ControllersInvalid"
  override readonly name = "ControllersInvalid"
}

/**
 * The controllers that a list means, in kube-controller-manager's way: "*" is all that are on by default, "name" turns one on, "-name"
 * turns one off; what is named itself counts more than the star.
 */
export const chooseControllers = (
  list: ReadonlyArray<string>,
  from: ReadonlyArray<NamedController> = allControllers
): ReadonlyArray<NamedController> | ControllersInvalid => {
  const known = new Set(from.map(({ name }) => name))
  const unknown = list.find((item) => item !== "*" && !known.has(item.replace(/^-/, "")))
  if (unknown !== undefined) {
    return new ControllersInvalid(`"${unknown}" is not in the list of known controllers: ${[...known].join(", ")}`)
  }
  return from.filter(({ name, offByDefault }) => {
    const asked = list.find((item) => item === name || item === `-${name}`)
    return asked === undefined ? list.includes("*") && offByDefault !== true : asked === name
  })
}
