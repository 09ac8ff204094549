// How a kube-apiserver answers patches that it cannot apply.
// Owns codes and reasons; the messages come from each kind of patch.
import { ApiFailure, Failures } from "../Status.ts"

/** A patch that does not fit the object: 422, whose message says no more than this; `why` is kept as a cause. */
export const patchDoesNotApply = (why: string): ApiFailure =>
  new ApiFailure({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: "the server rejected our request due to an error in our request",
    reason: "Invalid",
    details: { causes: [{ message: why }] },
    code: 422
  })

/** A patch that is malformed in a way for which there is no better answer: 500. */
export const patchFailed = (why: string): ApiFailure => Failures.generic(500, "", why)
