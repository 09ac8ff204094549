// The one way to make a whole simulated cluster: every built-in resource, custom resources, admission, what each cluster begins with,
// hollow machines and pods, the scheduler and the controllers, on one kernel from one seed.
// Owns the choice of parts and when the cluster counts as ready; refuses how they work and how time moves, which the caller decides
// (`kernel.run`, `runInSlices`, `followRealTime`).
import { kubeScheduler } from "../binder/PodPlacer.ts"
import { metricsDefinitions } from "../controllers/autoscaling/MetricsApi.ts"
import type { ControllerStart } from "../Population.ts"
import { DEFAULT_EPOCH_MS } from "../time/Kernel.ts"
import { clusterControllers } from "./ClusterControllers.ts"
import { World, type WorldParts } from "../World.ts"

export interface SimulatedClusterOptions extends WorldParts {
  /** Who keeps workloads, endpoints, accounts and the rest; default: every controller that there is. */
  readonly controllers?: ReadonlyArray<ControllerStart>
  /** Admission plugins that are to be off, like "ServiceAccount" where nobody makes the accounts. */
  readonly disableAdmission?: ReadonlyArray<string>
  /** Seconds that an event is kept; default 3600. */
  readonly eventTtlSeconds?: number
}

/** Apart from the addresses of machines (172.16.0.0 and on) and pods (10.0.0.0/8). */
export const SERVICE_CIDR = "172.31.0.0/16"
const SERVICE_IP = "172.31.0.1"
const API_ADDRESS = { address: "172.31.255.254", port: 6443 }
/** How long a cluster may take to be ready, in milliseconds of its own time, unless a caller says otherwise. */
const READY_WITHIN_MS = 120_000

export class SimulatedCluster extends World {
  /** Whether what every cluster begins with is there, and all machines are registered. */
  get isReady(): boolean {
    return this.begun && this.nodes.stats.registered >= this.nodes.count
  }

  private begun = false

  constructor(options: SimulatedClusterOptions) {
    const { disableAdmission = [], epochMs = DEFAULT_EPOCH_MS, eventTtlSeconds, seed } = options
    super({
      controllers: [clusterControllers()],
      placer: kubeScheduler,
      ...options,
      server: {
        plane: {
          resources: { serviceCidrs: [SERVICE_CIDR], ...(eventTtlSeconds === undefined ? {} : { eventTtlSeconds }) },
          disable: disableAdmission
        },
        bootstrap: { serviceIp: SERVICE_IP, serviceCidrs: [SERVICE_CIDR], ...API_ADDRESS },
        aggregated: metricsDefinitions({ seed, epochMs })
      }
    })
    this.onReady = () => {
      this.begun = true
    }
  }

  /** Starts everything and lets time run until the cluster is ready; false when it is not within so many milliseconds of its time. */
  startReady(withinMs: number = READY_WITHIN_MS): boolean {
    this.start()
    this.kernel.run({ untilMs: this.kernel.nowMs + withinMs, until: () => this.isReady })
    return this.isReady
  }
}
