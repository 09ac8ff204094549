// Who lives in a cluster: machines, their pods, the binder, controllers and users, each in a process of the kernel.
// Owns how they are made, started and stopped; refuses to know the server, which each of them reaches by a client of its own: a
// simulated one, or a real one whose clock the kernel follows.
import type { Cancel, Client, Clockwork } from "#kube"
import { type MakePlacer, onePassBinder, type PodPlacer } from "./binder/PodPlacer.ts"
import { ChurnPlayer } from "./churn/ChurnPlayer.ts"
import type { ChurnStep } from "./churn/ChurnStep.ts"
import { HollowNodes } from "./nodes/HollowNodes.ts"
import { HollowPods } from "./nodes/HollowPods.ts"
import type { NodeGroup } from "./nodes/NodeGroup.ts"
import { kubeletPodStages } from "./nodes/PodStages.ts"
import type { Stage } from "./nodes/Stage.ts"
import type { Kernel } from "./time/Kernel.ts"

/** What a controller is started with; it runs in a process of its own. */
export interface ControllerContext {
  readonly name: string
  readonly clockwork: Clockwork
  readonly client: Client
}

/** Starts a controller; the answer, if any, stops it. */
export interface ControllerStart {
  readonly name: string
  readonly start: (context: ControllerContext) => Cancel | undefined
}

export interface PopulationOptions {
  readonly nodeGroups: ReadonlyArray<NodeGroup>
  /** Default: those of a kubelet. */
  readonly podStages?: ReadonlyArray<Stage>
  /** Stages of nodes beside what every kubelet does; default none. */
  readonly nodeStages?: ReadonlyArray<Stage>
  /** Milliseconds over which the nodes come up; default 0. */
  readonly registerOverMs?: number
  /** Who gives pods their nodes; default the plain one-pass binder. */
  readonly placer?: MakePlacer
  /** False leaves pods to a scheduler that comes from elsewhere; default true. */
  readonly bindsPods?: boolean
  readonly controllers?: ReadonlyArray<ControllerStart>
}

/** Makes a client for the process of this name. */
export type ClientOf = (name: string) => Client

export class Population {
  readonly nodes: HollowNodes
  readonly pods: HollowPods
  readonly bindings: PodPlacer
  readonly player: ChurnPlayer
  private readonly kernel: Kernel
  private readonly clientOf: ClientOf
  private readonly options: PopulationOptions
  private readonly stops: Array<Cancel> = []

  constructor(kernel: Kernel, clientOf: ClientOf, options: PopulationOptions) {
    this.kernel = kernel
    this.clientOf = clientOf
    this.options = options
    const process = kernel.process("kubelets")
    const client = clientOf("kubelets")
    const { nodeGroups, nodeStages = [], placer = onePassBinder(), podStages, registerOverMs = 0 } = options
    this.nodes = new HollowNodes({ kernel, process, client, groups: nodeGroups, registerOverMs, stages: nodeStages })
    this.pods = new HollowPods({ kernel, process, client, nodes: this.nodes, stages: podStages ?? kubeletPodStages })
    this.bindings = placer(kernel.process("scheduler"), clientOf("scheduler"))
    this.player = new ChurnPlayer(kernel.process("users"), clientOf("users"))
  }

  /** Starts everyone; time moves when the kernel runs. */
  start(): void {
    const { bindsPods = true, controllers = [] } = this.options
    this.nodes.start()
    this.pods.start()
    if (bindsPods) this.bindings.start()
    for (const { name, start } of controllers) {
      const { clockwork } = this.kernel.process(name)
      const stop = start({ name, clockwork, client: this.clientOf(name) })
      if (stop !== undefined) this.stops.push(stop)
    }
  }

  /** Plays steps of users, beside all else. */
  play(steps: Iterable<ChurnStep>): void {
    this.kernel.closureAt(this.kernel.nowMs, this.kernel.process("users"), () => this.player.play(steps))
  }

  stop(): void {
    for (const stop of this.stops.splice(0)) stop()
    this.pods.stop()
    this.nodes.stop()
    this.bindings.stop()
  }
}
