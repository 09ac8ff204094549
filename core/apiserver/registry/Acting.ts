// Actions that clients create (bindings, evictions, tokens, reviews): admission sees their bodies as it sees those of objects.
// Owns the asking of plugins before an action runs; refuses to know what any action does. Source: kubernetes
// apiserver pkg/endpoints/handlers/create.go, which passes admission to every creater.
import { ApiFailure } from "#kube"
import type { AdmissionRequest } from "../Access.ts"
import type { Action, Definition } from "../Definition.ts"
import type { ApiAnswer, ApiRequest } from "../Request.ts"
import type { AdmissionChain } from "./AdmissionChain.ts"

export interface Acting {
  readonly definition: Definition
  readonly action: Action
  readonly admission: AdmissionChain
  readonly context: Parameters<Action>[0]
}

/** Runs the action with the body as admission leaves it; an action without a body says itself what it lacks. */
export const act = (
  { action, admission, context, definition }: Acting,
  request: ApiRequest,
  done: (answer: ApiAnswer | ApiFailure) => void
): void => {
  const { body } = request
  if (request.verb !== "create" || body === undefined) return action(context, request, done)
  const asked: AdmissionRequest = { operation: "CREATE", request, definition, object: body, oldObject: undefined }
  if (!admission.asks(asked)) return action(context, request, done)
  const warnings: Array<string> = []
  const warned = (answer: ApiAnswer | ApiFailure): void =>
    done(
      warnings.length === 0 || answer instanceof ApiFailure || !("warnings" in answer)
        ? answer
        : { ...answer, warnings: [...warnings, ...answer.warnings] }
    )
  admission.mutate(asked, warnings, (object) => {
    if (object instanceof ApiFailure) return done(object)
    admission.validate({ ...asked, object }, warnings, (refused) => {
      if (refused !== undefined) return done(refused)
      action(context, object === undefined || object === body ? request : { ...request, body: object }, warned)
    })
  })
}
