// What a rolling update costs: a Deployment rolls in worlds of growing size, and CPU time per pod is printed. It must not grow.
// Run it alone on the machine: node --expose-gc test/sim/controllers/RollingBench.ts [pods …]
import { memoryBytes } from "#sim"
import { controlledWorld, imageOf, podImage, serves, statusNumber, workload } from "./ControlledWorld.ts"

const sizes = process.argv.slice(2).map(Number)
const CREATE_MS = 120_000
const LIMIT_MS = 3_600_000

const cpuMs = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

for (const pods of sizes.length === 0 ? [1000, 3000, 10_000, 30_000] : sizes) {
  const cluster = controlledWorld({ nodes: Math.ceil(pods / 3) })
  const { kernel } = cluster.world
  const [deployment, sets] = [() => cluster.list("apps", "deployments")[0], () => cluster.list("apps", "replicasets")]
  const isOver = (image: string): boolean => {
    const all = cluster.pods("it")
    return all.length === pods && all.every((pod) => podImage(pod) === image && serves(pod))
  }
  const until = (image: string): number => {
    const from = kernel.nowMs
    while (kernel.nowMs - from < LIMIT_MS) {
      cluster.run(5000)
      const updated = deployment() === undefined ? 0 : statusNumber(deployment(), "updatedReplicas")
      if (updated === pods && statusNumber(deployment(), "availableReplicas") === pods && isOver(image)) break
    }
    return kernel.nowMs - from
  }
  const started = cpuMs()
  cluster.play(workload("Deployment", "it", { replicas: pods, progressDeadlineSeconds: 3600 }))
  cluster.run(CREATE_MS / 10)
  until("v0")
  const created = cpuMs()
  cluster.play(imageOf("Deployment", "it", "v1"))
  const rolledMs = until("v1")
  const rolled = cpuMs()
  const line = {
    pods,
    createCpuMs: Math.round(created - started),
    rollCpuMs: Math.round(rolled - created),
    rollCpuUsPerPod: Math.round(((rolled - created) * 1000) / pods),
    rollVirtualS: Math.round(rolledMs / 1000),
    events: kernel.log.count,
    sets: sets().length,
    heapMb: Math.round(memoryBytes().heapBytes / 2 ** 20),
    seen: isOver("v1")
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
  cluster.world.stop()
}
