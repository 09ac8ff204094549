// What plugins share: refusals in admission's words, and edits of objects that leave what is shared alone.
// Owns these few; refuses any rule.
import { type ApiFailure, Failures, type KubeObject } from "#kube"
import type { Admitted, AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import { fieldsOf } from "../resources/Fields.ts"

/** A JSON object whose fields are read with care. */
export type Fields = ReturnType<typeof fieldsOf>

const nonEmpty = (text: string | undefined): string | undefined => (text === "" ? undefined : text)

/** 403 of a plugin; the object goes by the name it has or will have. */
export const refusal = ({ object, request }: AdmissionRequest, why: string): ApiFailure => {
  const { group, resource } = request.resource
  const name =
    nonEmpty(request.name) ?? nonEmpty(object?.metadata.name) ?? nonEmpty(object?.metadata.generateName) ?? "Unknown"
  return Failures.forbidden({ group, resource, name }, why)
}

/** Whether a request is about a resource ("pods", "deployments.apps") or its subresource ("pods/resize"). */
export const isAbout = ({ request }: AdmissionRequest, group: string, resource: string, subresource = ""): boolean =>
  request.resource.resource === resource && request.resource.group === group && request.subresource === subresource

/** The object with another spec. */
export const withSpec = (object: KubeObject, spec: Fields): KubeObject => ({ ...object, spec: spec })

/** The object with other metadata. */
export const withMetadata = (object: KubeObject, metadata: Partial<KubeObject["metadata"]>): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, ...metadata }
})

/** A plugin that changes an object at once: answers another object, the same one, or a refusal. */
export const mutator = (
  name: string,
  handles: (request: AdmissionRequest) => boolean,
  change: (request: AdmissionRequest, object: KubeObject) => KubeObject | ApiFailure
): AdmissionPlugin => ({
  name,
  handles: (request) => request.object !== undefined && handles(request),
  mutate: (request, done) => {
    const { object } = request
    if (object === undefined) return done({ object })
    const changed = change(request, object)
    done(asAdmitted(changed))
  }
})

const asAdmitted = (changed: KubeObject | ApiFailure): Admitted =>
  changed instanceof Error ? changed : { object: changed }

/** A plugin that refuses or not, at once; `why` becomes a refusal. */
export const validator = (
  name: string,
  handles: (request: AdmissionRequest) => boolean,
  check: (request: AdmissionRequest) => string | undefined
): AdmissionPlugin => ({
  name,
  handles,
  validate: (request, done) => {
    const why = check(request)
    done(why === undefined ? undefined : refusal(request, why))
  }
})
