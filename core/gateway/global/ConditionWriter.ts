// Keeps RateLimitConditions in an API server as a statement of what was given out, for people and for the original's tools.
// Owns their writing at an interval and the removal of those of gateways that are gone; refuses to read them back.
import { ApiFailure, type Cancel, type Client, type Clockwork } from "#kube"
import { rateLimitConditions } from "../schema/GatewayCrds.ts"
import { allConditions, nameIn } from "./Conditions.ts"
import type { LimiterServer } from "./LimiterServer.ts"

export interface ConditionWriterOptions {
  readonly client: Client
  readonly clockwork: Clockwork
  readonly server: LimiterServer
  readonly intervalMs: number
  readonly onFailure: (failure: ApiFailure) => void
}

const MANAGER = "kube-ratelimiter"

/** Writes until it is cancelled, and once more then. */
export const writeConditions = (options: ConditionWriterOptions): Cancel => {
  const { client, clockwork, intervalMs, onFailure, server } = options
  const written = new Set<string>()
  const heard = (answer: unknown): void => {
    if (answer instanceof ApiFailure && answer.code !== 404) onFailure(answer)
  }
  const write = (): void => {
    const current = new Set<string>()
    for (const condition of allConditions(server)) {
      const name = nameIn(condition)
      current.add(name)
      const target = { resource: rateLimitConditions, namespace: "", name }
      client.patch(target, { type: "apply", body: condition }, { fieldManager: MANAGER, force: true }, heard)
    }
    for (const name of written) {
      if (current.has(name)) continue
      written.delete(name)
      client.delete({ resource: rateLimitConditions, namespace: "", name }, {}, heard)
    }
    for (const name of current) written.add(name)
  }
  const cancel = clockwork.every(intervalMs, write)
  return () => {
    cancel()
    write()
  }
}
