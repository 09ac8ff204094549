// The status of a workload written when it is news, once more on the newest object when somebody else wrote meanwhile.
// Owns this one call; refuses to know what a status says.
import { Effect } from "effect"
import {
  type ApiFailure,
  type EffectClient,
  type GroupVersionResource,
  type JsonObject,
  type KubeObject,
  sameJson
} from "#kube"

type StatusWrite = Effect.Effect<KubeObject | undefined, ApiFailure>

/** Answers the object as it stands after the write; undefined when there was nothing to write. */
export const writeStatus = (
  client: EffectClient,
  resource: GroupVersionResource,
  object: KubeObject,
  status: JsonObject
): StatusWrite => {
  if (object.status !== undefined && sameJson(object.status, status)) return Effect.undefined
  const { name = "", namespace = "", uid } = object.metadata
  const target = { resource, namespace, name }
  const write = (on: KubeObject): StatusWrite => client.update({ ...target, subresource: "status" }, { ...on, status })
  return Effect.matchEffect(write(object), {
    onSuccess: (written) => Effect.succeed(written),
    onFailure: () =>
      Effect.flatMap(client.get(target), (newest) =>
        // Another one of its name is none of ours.
        newest.metadata.uid === uid ? write(newest) : Effect.undefined
      )
  })
}
