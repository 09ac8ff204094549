// Our controllers and the real kube-controller-manager on a real kube-apiserver: the same users, the same objects in the end.
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { played, replayed } from "../../Played.ts"
import { dump, toldEvents } from "./Dump.ts"
import { type RealCluster, startCluster } from "./RealCluster.ts"
import { workloadScript } from "./WorkloadScript.ts"

const wharf = fileURLToPath(new URL("../../../wharf.ts", import.meta.url))
const chosen = ["deployment", "replicaset", "statefulset", "daemonset", "replicationcontroller"]
  .map((name) => `${name}-controller`)
  .join()

interface Played {
  readonly dumps: ReadonlyMap<string, ReadonlyMap<string, unknown>>
  readonly said: ReadonlyMap<string, string>
  readonly events: ReadonlyArray<string>
}

const targets = ["deployment/web", "deployment/recreate", "statefulset/ordered", "daemonset/rolling"]
const readings = targets.flatMap((target) => [`rollout history ${target}`, `rollout status ${target} --timeout=5s`])
/** After these kubectl reads what rollouts there were. */
const readAfter = new Set(["makes one of each", "undoes", "has the nodes back as they were"])
const NAMESPACE = "judged"

const play = async (cluster: RealCluster): Promise<Played> => {
  await cluster.kubectl("create", "namespace", NAMESPACE)
  const dumps = new Map<string, ReadonlyMap<string, unknown>>()
  const said = new Map<string, string>()
  for (const { name, run, until } of workloadScript) {
    await run(cluster, NAMESPACE)
    const objects = await cluster.settle(NAMESPACE, until).catch((error: unknown) => {
      throw new Error(`step "${name}": ${String(error)}`)
    })
    dumps.set(name, dump(objects, NAMESPACE))
    if (!readAfter.has(name)) continue
    for (const reading of readings)
      said.set(`${reading}, after a user ${name}`, await cluster.kubectl("-n", NAMESPACE, ...reading.split(" ")))
  }
  return { dumps, said, events: toldEvents(await cluster.events(NAMESPACE), NAMESPACE) }
}

const realArgs = ({ kubeconfig }: RealCluster): ReadonlyArray<string> => [
  `--kubeconfig=${kubeconfig}`,
  `--controllers=${chosen}`,
  "--leader-elect=false",
  "--secure-port=0",
  "--kube-api-qps=500",
  "--kube-api-burst=500",
  `--cert-dir=${join(kubeconfig, "..", "manager")}`
]

const ourArgs = ({ kubeconfig }: RealCluster): ReadonlyArray<string> => [
  wharf,
  "serve",
  "controllers",
  `--kubeconfig=${kubeconfig}`,
  `--controllers=${chosen}`,
  "--leader-elect-retry-period=500ms",
  "--kube-api-qps=500",
  "--kube-api-burst=500",
  "--concurrent-deployment-syncs=3"
]

/** The script on a cluster of its own, with a manager that runs from before its first step until after its last. */
const playWith = async (
  programs: Parameters<typeof startCluster>[0],
  manager: (cluster: RealCluster) => readonly [string, ReadonlyArray<string>]
): Promise<Played> => {
  const cluster = await startCluster(programs)
  try {
    cluster.manage(...manager(cluster))
    return await play(cluster)
  } finally {
    await cluster.stop()
  }
}

describeWith(
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kubectl"
)("beside the real manager", (programs) => {
  const both = played(async () => {
    const [byReal, byOurs] = await Promise.all([
      playWith(programs, (cluster) => [programs["kube-controller-manager"], realArgs(cluster)]),
      playWith(programs, (cluster) => [process.execPath, ourArgs(cluster)])
    ])
    return { byReal, byOurs }
  })
  const options = replayed(240_000)

  for (const { name } of workloadScript) {
    it(`a user ${name}`, options, () =>
      both(({ byOurs, byReal }) => {
        const expected = byReal.dumps.get(name)
        assert.isAbove(expected?.size ?? 0, 10)
        assert.deepStrictEqual(Object.fromEntries(byOurs.dumps.get(name) ?? []), Object.fromEntries(expected ?? []))
      })
    )
  }

  it("tells the same events", options, () =>
    both(({ byOurs, byReal }) => {
      assert.isAbove(byReal.events.length, 20)
      assert.deepStrictEqual(byOurs.events, byReal.events)
    })
  )

  it("shows kubectl the same rollouts", options, () =>
    both(({ byOurs, byReal }) => {
      assert.strictEqual(byReal.said.size, readings.length * readAfter.size)
      assert.deepStrictEqual(Object.fromEntries(byOurs.said), Object.fromEntries(byReal.said))
    })
  )
})
