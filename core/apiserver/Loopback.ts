// The server as its own client: what it reads and writes for itself, past authorization.
// Owns that user and the reading of one object, from the watch cache where it is there already.
import { ApiFailure, type GroupVersionResource, type KubeObject } from "#kube"
import type { Api } from "./Api.ts"
import type { ApiRequest, UserInfo } from "./Request.ts"

/** The user of the server's own requests. */
export const LOOPBACK: UserInfo = { name: "system:apiserver", groups: ["system:masters", "system:authenticated"] }

/** Sends a request of the server's own; answers the object. */
export const askAsServer = (
  api: Api,
  request: Pick<ApiRequest, "verb" | "resource"> & Partial<ApiRequest>,
  done: (answer: KubeObject | ApiFailure) => void
): void =>
  api.execute({ subresource: "", namespace: "", name: "", options: {}, user: LOOPBACK, ...request }, (answer) => {
    if (answer instanceof ApiFailure) return done(answer)
    if (answer.kind === "object") return done(answer.held.object)
    // A list is never asked for here.
    done(new ApiFailure({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code: 500 }))
  })

/** One object: from its view, or from the store when the view has not heard of it. May answer before it returns. */
export const readObject = (
  api: Api,
  resource: GroupVersionResource,
  namespace: string,
  name: string,
  done: (answer: KubeObject | ApiFailure) => void
): void => {
  const seen = api.view(resource.group, resource.resource).get(namespace, name)
  if (seen !== undefined) done(seen)
  else askAsServer(api, { verb: "get", resource, namespace, name }, done)
}
