// Carries a stage out, step by step, on one object of the API server.
// Owns the calls that steps stand for; refuses to decide when, and what to do when one fails.
import { ApiFailure, type Client, gvr, type KubeObject, type Target } from "#kube"
import { podEvent } from "./PodEvent.ts"
import type { StagePlace, StageStep } from "./Stage.ts"

const NO_OPTIONS = {}
const events = gvr("", "v1", "events")

/** Whom a stage's events come from. */
export const KUBELET = "kubelet"

/** Runs steps one after the other; answers the object as the last of them left it, or the first failure. */
export const runSteps = (
  client: Client,
  target: Target,
  object: KubeObject,
  steps: ReadonlyArray<StageStep>,
  place: () => StagePlace,
  done: (answer: KubeObject | ApiFailure) => void
): void => {
  const next = (at: number, current: KubeObject): void => {
    const step = steps[at]
    if (step === undefined) return done(current)
    runStep(client, target, current, step, place(), (answer) => {
      if (answer instanceof ApiFailure) return done(answer)
      // Events and deletions answer something else than the object.
      next(at + 1, answer.kind === object.kind ? answer : current)
    })
  }
  next(0, object)
}

const runStep = (
  client: Client,
  target: Target,
  object: KubeObject,
  step: StageStep,
  place: StagePlace,
  done: (answer: KubeObject | ApiFailure) => void
): void => {
  const { finalizers = [], uid = "" } = object.metadata
  switch (step.kind) {
    case "status": {
      const status = step.status(object, place)
      return client.update({ ...target, subresource: "status" }, { ...object, status }, NO_OPTIONS, done)
    }
    case "patch": {
      const patch = { type: step.type, body: step.body(object, place) }
      return client.patch(
        step.subresource === "" ? target : { ...target, subresource: step.subresource },
        patch,
        NO_OPTIONS,
        done
      )
    }
    case "delete":
      return client.delete(target, { gracePeriodSeconds: 0, preconditions: { uid } }, done)
    case "finalizers": {
      const body = { metadata: { finalizers: step.change(finalizers) } }
      return client.patch(target, { type: "merge", body }, NO_OPTIONS, done)
    }
    case "event": {
      const namespace = target.namespace === "" ? "default" : target.namespace
      const event = podEvent(object, step.event, place.nowMs, { component: KUBELET, host: place.nodeName })
      return client.create({ resource: events, namespace }, event, NO_OPTIONS, done)
    }
  }
}
