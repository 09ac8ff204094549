// Answers that are no API objects: short texts, and the two Statuses of a path or method that nobody serves.
// Owns their wording, which is kube-apiserver's; refuses to decide who gets them.
import { ApiFailure } from "#kube"
import type { Call } from "./Call.ts"

export const plainText = (call: Call, status: number, text: string): void =>
  call.respond(
    status,
    [
      ["content-type", "text/plain; charset=utf-8"],
      ["x-content-type-options", "nosniff"]
    ],
    text
  )

/** A path outside of all APIs. */
export const textNotFound = (call: Call): void => plainText(call, 404, "404 page not found\n")

const failure = (code: number, reason: string, message: string): ApiFailure =>
  new ApiFailure({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    details: {},
    code
  })

/** A path of an API that no resource is served under. */
export const resourceNotFound = (): ApiFailure =>
  failure(404, "NotFound", "the server could not find the requested resource")

/** A method that a path does not know. */
export const methodNotAllowed = (): ApiFailure =>
  failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
