// Decisions as the federation makes them: the scheduling framework, with webhook plugins where a profile names some, and the overriders.
// Owns only the joint between the pipeline's port and both; refuses to decide anything itself.
import { Effect } from "effect"
import type { Informer } from "#kube"
import { pluginWebhookOf } from "../api/SchedulingProfile.ts"
import { applyOverrides } from "../overrides/ApplyOverrides.ts"
import { type Plugins, scheduleAsking } from "../scheduling/PluginCalls.ts"
import type { Decisions } from "./Decisions.ts"

/** Decisions that ask the webhooks which an informer knows, by a transport. */
export const pluginDecisions = (webhooks: Informer, transport: Plugins["transport"]): Decisions => {
  const plugins: Plugins = {
    webhook: (name) => {
      const object = webhooks.store.get(name)
      return object === undefined ? undefined : pluginWebhookOf(object)
    },
    transport
  }
  return {
    schedule: (request) =>
      Effect.callback((resume) => scheduleAsking(request, plugins, (outcome) => resume(Effect.succeed(outcome)))),
    applyOverrides
  }
}
