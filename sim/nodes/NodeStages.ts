// The stages of nodes, where a world has some beside what every kubelet does: kwok's Stage files of kind Node.
// Owns each node's pending stage; refuses registration, leases and heartbeats, which HollowNodes.ts keeps up whatever stages say.
import { ApiFailure, type Client, gvr, type KubeObject } from "#kube"
import type { EventHandle } from "../time/EventHeap.ts"
import type { HandlerId, Kernel } from "../time/Kernel.ts"
import type { RandomStream } from "../time/RandomStream.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import { type Machine, podIp } from "./NodeGroup.ts"
import { chooseStage, drawDelay, type Stage, type StagePlace } from "./Stage.ts"
import { runSteps } from "./StageSteps.ts"
import { TimeTexts } from "./TimeTexts.ts"

export interface NodeStagesOptions {
  readonly kernel: Kernel
  readonly process: SimProcess
  readonly client: Client
  readonly machines: ReadonlyArray<Machine>
  readonly stages: ReadonlyArray<Stage>
  /** Whether a node is alive and reaches the server. */
  readonly isWell: (node: number) => boolean
}

const nodes = gvr("", "v1", "nodes")
const KUBELET_PORT = 10_250

export class NodeStages {
  readonly stats = { stagesDone: 0, failures: 0 }
  private readonly options: NodeStagesOptions
  private readonly random: RandomStream
  private readonly texts = new TimeTexts()
  private readonly handler: HandlerId
  private readonly objects: Array<KubeObject | undefined> = []
  private readonly pending: Array<{ readonly stage: Stage; readonly timer: EventHandle } | undefined> = []

  constructor(options: NodeStagesOptions) {
    this.options = options
    this.random = options.process.random.split("node stages")
    this.handler = options.kernel.handler(options.process, (node) => this.due(node), { spread: true })
  }

  /** A node is there, or has changed. */
  seen(node: number, object: KubeObject): void {
    this.objects[node] = object
    const { kernel, process, stages } = this.options
    const stage = chooseStage(stages, object, this.random)
    const before = this.pending[node]
    if (before?.stage === stage) return
    if (before !== undefined) kernel.cancel(before.timer)
    this.pending[node] = undefined
    if (stage === undefined) return
    const delay = drawDelay(stage, object, process.clockwork.now(), this.random)
    this.pending[node] = { stage, timer: kernel.at(kernel.nowMs + delay, this.handler, node) }
  }

  gone(node: number): void {
    this.objects[node] = undefined
    const before = this.pending[node]
    if (before !== undefined) this.options.kernel.cancel(before.timer)
    this.pending[node] = undefined
  }

  private due(node: number): void {
    const object = this.objects[node]
    const stage = this.pending[node]?.stage
    this.pending[node] = undefined
    if (object === undefined || stage === undefined || !this.options.isWell(node)) return
    const target = { resource: nodes, namespace: "", name: object.metadata.name ?? "" }
    runSteps(
      this.options.client,
      target,
      object,
      stage.steps,
      () => this.place(node),
      (answer) => {
        if (answer instanceof ApiFailure) this.stats.failures++
        else {
          this.stats.stagesDone++
          if (stage.immediateNextStage) this.seen(node, answer)
        }
      }
    )
  }

  private place(node: number): StagePlace {
    const { machines, process } = this.options
    const { ip, ips, name } = machines[node].facts
    const nowMs = process.clockwork.now()
    const now = this.texts.time(nowMs)
    return { nowMs, now, nodeName: name, nodeIp: ip, nodeIps: ips, nodePort: KUBELET_PORT, podIp: () => podIp(node, 0) }
  }
}
