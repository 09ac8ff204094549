// Nothing is made in a namespace that is not there or is being deleted, and some namespaces stay for good.
// Owns these three rules; the deletion of a namespace's content is a controller's.
import { ApiFailure, Failures, gvr } from "#kube"
import type { AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import type { Api, ResourceView } from "../Api.ts"
import { readObject } from "../Loopback.ts"
import { fieldsOf } from "../resources/Fields.ts"
import { isAbout, refusal } from "./Plugin.ts"

const IMMORTAL: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"])
const NAMESPACES = gvr("", "v1", "namespaces")

const terminating = (admission: AdmissionRequest, namespace: string): ApiFailure => {
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`
  const { status } = refusal(admission, why)
  const cause = {
    reason: "NamespaceTerminating",
    message: `namespace ${namespace} is being terminated`,
    field: "metadata.namespace"
  }
  return new ApiFailure({ ...status, details: { ...status.details, causes: [cause] } })
}

/** NamespaceLifecycle. */
export const namespaceLifecycle = (api: Api): AdmissionPlugin => {
  const namespaces: ResourceView = api.view("", "namespaces")
  const isTerminating = (phase: unknown): boolean => phase === "Terminating"
  return {
    name: "NamespaceLifecycle",
    handles: ({ operation, request }) =>
      operation === "CREATE"
        ? request.namespace !== ""
        : operation === "DELETE" && request.resource.resource === "namespaces" && request.resource.group === "",
    mutate: (admission, done) => {
      const { object, operation, request } = admission
      const { name, namespace } = request
      if (operation === "DELETE") {
        return done(
          IMMORTAL.has(name)
            ? Failures.forbidden({ group: "", resource: "namespaces", name }, "this namespace may not be deleted")
            : { object }
        )
      }
      if (request.resource.resource === "namespaces" && request.resource.group === "") return done({ object })
      // Whether a namespace is there is not told to those who only ask what they may do.
      if (isAbout(admission, "authorization.k8s.io", "localsubjectaccessreviews")) return done({ object })
      const seen = namespaces.get("", namespace)
      if (seen !== undefined) {
        const over = isTerminating(fieldsOf(seen.status)["phase"]) || seen.metadata.deletionTimestamp !== undefined
        return done(over ? terminating(admission, namespace) : { object })
      }
      readObject(api, NAMESPACES, "", namespace, (found) => {
        if (found instanceof ApiFailure) return done(found)
        done(isTerminating(fieldsOf(found.status)["phase"]) ? terminating(admission, namespace) : { object })
      })
    }
  }
}
