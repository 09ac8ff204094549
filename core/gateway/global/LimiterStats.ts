// What the limiter counts of itself, under the original's names.
// Owns counters and their page; refuses to serve it. Instances of gateways are labels, bounded as all label sets are.
import { counts, histograms } from "../observe/MetricFamily.ts"
import { limiterMetrics } from "../observe/MetricTable.ts"
import type { Grants } from "./LimiterMessages.ts"
import type { LimiterServer } from "./LimiterServer.ts"

export class LimiterStats {
  private readonly requests = counts(limiterMetrics.requests)
  private readonly duration = histograms(limiterMetrics.duration)
  private readonly sizes = histograms(limiterMetrics.sizes)
  private readonly tokens = counts(limiterMetrics.tokens)
  private server: LimiterServer | undefined

  /** Whose leases are shown. */
  watch(server: LimiterServer): void {
    this.server = server
  }

  request(method: string, code: number, answer: { readonly seconds: number; readonly bytes: number }): void {
    this.requests.of(method, String(code)).value++
    this.duration.of(method).observe(answer.seconds)
    if (answer.bytes > 0) this.sizes.of(method).observe(answer.bytes)
  }

  /** A message to a gateway went out. */
  sent(instance: string, { grants }: Grants, bytes: number): void {
    this.sizes.of("grants").observe(bytes)
    for (const { amount, cluster, name } of grants) {
      if (this.server?.shardFor(cluster)?.item(cluster, name)?.limit.kind !== "tokens") continue
      this.tokens.of(cluster, instance, name, "TokenBucket", "globalCount", "acquire").value += amount
    }
  }

  text(): string {
    const allocated = counts(limiterMetrics.allocated)
    const leader = counts(limiterMetrics.leader)
    const sessions = counts(limiterMetrics.sessions)
    const { server } = this
    sessions.of().value = server?.instances.length ?? 0
    for (const [shard, address] of server?.knownLeaders ?? [])
      leader.of(String(shard), address).value = server?.leading.has(shard) === true ? 1 : 0
    for (const shard of server?.leading.values() ?? []) {
      for (const [cluster, name, item] of shard.entries()) {
        const type = item.limit.kind === "slots" ? "MaxRequestsInflight" : "TokenBucket"
        const strategy = item.limit.spare ? "globalAllocate" : "globalCount"
        for (const instance of item.statements.keys())
          allocated.of(cluster, instance, name, type, strategy, "lease").value = item.grantOf(instance)
      }
    }
    const counted = [this.requests, allocated, this.tokens, leader, sessions]
    return [...counted, this.duration, this.sizes].map((family) => family.text()).join("")
  }
}
