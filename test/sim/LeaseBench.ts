// What the simulated world costs beside the API server: `node test/sim/LeaseBench.ts` renews the leases of 10,000 nodes against a
// server that only says yes, and prints microseconds a lease and events a second. It asserts nothing: timings are read, not tested.
import type { Client, KubeObject } from "#kube"
import { HollowNodes, Kernel, SpeedMeter, wallMs } from "#sim"

const NODES = 10_000

/** Answers every write with what was written, as soon as it may. */
const agreeing = (kernel: Kernel): Client => {
  const { clockwork } = kernel.process("server")
  const never = (): void => undefined
  const say = (object: KubeObject, done: (answer: KubeObject) => void): void => clockwork.defer(() => done(object))
  return {
    get: never,
    list: never,
    watch: () => never,
    create: (_target, object, _options, done) => say(object, done),
    update: (_target, object, _options, done) => say(object, done),
    patch: never,
    delete: never,
    deleteCollection: never
  }
}

const kernel = new Kernel({ seed: 1 })
const nodes = new HollowNodes({
  kernel,
  process: kernel.process("kubelets"),
  client: agreeing(kernel),
  groups: [{ name: "node", count: NODES }]
})
nodes.start()
kernel.run({ untilMs: 30_000 })
for (let round = 0; round < 5; round++) {
  const before = nodes.renewals.stats.renewed
  const meter = new SpeedMeter(kernel, wallMs)
  kernel.run({ untilMs: kernel.nowMs + 200_000 })
  const { eventsPerSecond, timesRealTime, wallMs: spentMs } = meter.read()
  const micros = (spentMs * 1000) / (nodes.renewals.stats.renewed - before)
  console.log(
    `${micros.toFixed(3)} µs a lease, ${Math.round(eventsPerSecond)} events/s, ${Math.round(timesRealTime)} times real time`
  )
}
