// What the scheduler writes into pods' status: that there is no node for them, which node they are promised, that they are evicted.
// Owns the patches and leaves out those that would change nothing; refuses to decide what to say.
import { ApiFailure, type Client, type Clockwork, gvr, type JsonObject, type KubeObject, rfc3339 } from "#kube"
import { nominatedNodeOf, type PodCondition, podStatusOf } from "../pod/PodFields.ts"

export interface ConditionText {
  readonly type: string
  readonly status: "True" | "False"
  readonly reason: string
  readonly message: string
}

const pods = gvr("", "v1", "pods")

const isSame = (known: PodCondition | undefined, wanted: ConditionText, generation: number | undefined): boolean =>
  known !== undefined &&
  known.status === wanted.status &&
  known.reason === wanted.reason &&
  known.message === wanted.message &&
  known.observedGeneration === generation

export class PodStatusWriter {
  private readonly client: Client
  private readonly clockwork: Clockwork

  constructor(client: Client, clockwork: Clockwork) {
    this.client = client
    this.clockwork = clockwork
  }

  /**
   * Writes a condition, and a promised node when one is given ("" takes it back); `done` hears of failures, and at once when there is nothing
   * to write.
   */
  write(
    pod: KubeObject,
    condition: ConditionText | undefined,
    promised: string | undefined,
    done: (failure: ApiFailure | undefined) => void
  ): void {
    const { generation, name = "", namespace = "", uid = "" } = pod.metadata
    const known = podStatusOf(pod).conditions?.find(({ type }) => type === condition?.type)
    const status: Record<string, JsonObject | ReadonlyArray<JsonObject> | string | null> = {}
    if (condition !== undefined && !isSame(known, condition, generation)) {
      const now = rfc3339(this.clockwork.now())
      status["conditions"] = [
        {
          ...condition,
          ...(generation === undefined ? {} : { observedGeneration: generation }),
          lastProbeTime: null,
          lastTransitionTime: known?.status === condition.status ? (known.lastTransitionTime ?? now) : now
        }
      ]
    }
    if (promised !== undefined && promised !== nominatedNodeOf(pod))
      status["nominatedNodeName"] = promised === "" ? null : promised
    if (Object.keys(status).length === 0) return done(undefined)
    this.client.patch(
      { resource: pods, namespace, name, subresource: "status" },
      { type: "strategic", body: { metadata: { uid }, status } },
      {},
      (answer) => done(answer instanceof ApiFailure ? answer : undefined)
    )
  }
}
