// The real controllers and scheduler on our API server, with hollow nodes, while a Deployment is churned: all pods are right in the
// end, no error is logged that has no explanation, and client-node's informers lose and double nothing. CHURN_SECONDS=600
// CHURN_PODS=1000 is the long form.
import { assert, it } from "vitest"
import { describeWith } from "../../../Judges.ts"
import { begin, churn, DEPLOYMENT, PODS, WIDGETS } from "./Churn.ts"
import { startChurn } from "./ChurnRig.ts"
import { witness } from "./Witness.ts"

const SECONDS = Number(process.env["CHURN_SECONDS"] ?? 15)
const REPLICAS = Number(process.env["CHURN_PODS"] ?? 100)
const SEED = Number(process.env["SEED"] ?? 20_261_128)
/** How long controllers may take to make it right, in milliseconds. */
const SETTLE_MS = 120_000 + REPLICAS * 200

/** Errors that a healthy cluster logs too, each with its reason. */
const EXPLAINED: ReadonlyArray<readonly [RegExp, string]> = [
  [
    /the object has been modified|StorageError: invalid object|AlreadyExists|already exists/,
    "two writers met, and one tries again"
  ],
  [/is not as new as written version/, "a controller waits until its own write comes back through its watch"],
  [/not found/, "what a controller is about to write was deleted meanwhile"],
  [/manifest file is empty/, "the controller manager is told of no manifest"],
  [/object is being deleted|unable to create new content|being terminated/, "a delete was faster"],
  [/context canceled|connection refused|EOF|client connection lost/, "the server is going away at the end"],
  [/failed to get controllers resync|"Unhandled Error".*context/, "the process is going away at the end"]
]

interface Deployment {
  readonly metadata: { readonly generation: number }
  readonly status: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly updatedReplicas?: number
    readonly readyReplicas?: number
    readonly unavailableReplicas?: number
  }
}

interface PodList {
  readonly items: ReadonlyArray<{
    readonly metadata: {
      readonly name: string
      readonly labels: Readonly<Record<string, string>>
      readonly deletionTimestamp?: string
    }
    readonly spec: { readonly nodeName?: string }
    readonly status: { readonly phase: string }
  }>
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describeWith(
  "kube-controller-manager",
  "kube-scheduler",
  "kwok"
)("real controllers on our API server", (programs) => {
  it(
    "keep a churned Deployment right, before informers' eyes",
    { timeout: (SECONDS + 60) * 1000 + SETTLE_MS },
    async () => {
      console.log(`seed ${SEED}, ${REPLICAS} pods, ${SECONDS} s`)
      const rig = await startChurn(programs, Math.max(4, Math.ceil(REPLICAS / 60)))
      try {
        const { call } = rig
        await begin(call, REPLICAS)
        const watched = await Promise.all(
          [PODS, "/apis/apps/v1/namespaces/default/deployments", WIDGETS].map((path) =>
            witness(rig.kubeconfig, call, path)
          )
        )
        const { deeds, log } = await churn(call, { replicas: REPLICAS, seconds: SECONDS, seed: SEED })
        const right = async (): Promise<boolean> => {
          const { metadata, status } = JSON.parse((await call("GET", DEPLOYMENT)).body) as Deployment
          const counts = [status.replicas, status.updatedReplicas, status.readyReplicas]
          const pods = JSON.parse((await call("GET", PODS)).body) as PodList
          return (
            status.observedGeneration === metadata.generation &&
            counts.every((one) => one === REPLICAS) &&
            pods.items.length === REPLICAS
          )
        }
        const end = Date.now() + SETTLE_MS
        while (!(await right()) && Date.now() < end) await pause(500)
        const { items } = JSON.parse((await call("GET", PODS)).body) as PodList
        assert.strictEqual(items.length, REPLICAS)
        assert.deepStrictEqual([...new Set(items.map(({ status }) => status.phase))], ["Running"])
        assert.strictEqual(new Set(items.map(({ metadata }) => metadata.labels["pod-template-hash"])).size, 1)
        assert.isTrue(items.every(({ spec }) => spec.nodeName?.startsWith("hollow-") === true))
        assert.isTrue(await right())
        // What was written last is on its way to the informers.
        await pause(1000)
        const problems = watched.flatMap((one) => one.problems())
        assert.deepStrictEqual(problems, [])
        for (const one of watched) assert.deepStrictEqual(one.state(), await one.fresh())
        const widgets = watched[2]
        for (const [name, versions] of log) {
          assert.deepStrictEqual(widgets?.versionsOf(`default/${name}`), versions, name)
        }
        const unexplained = rig.errors().filter((line) => !EXPLAINED.some(([pattern]) => pattern.test(line)))
        assert.deepStrictEqual(unexplained, [])
        const events = watched.map((one) => one.events())
        console.log(
          `${deeds} deeds, ${log.size} widgets, events: ${events.join(", ")}; ${rig.errors().length} explained errors`
        )
        // How many fit into the time is the machine's business; that there were some is ours.
        assert.isAtLeast(deeds, 3)
        assert.isAbove(events[0] ?? 0, REPLICAS * 3)
        for (const one of watched) await one.stop()
      } finally {
        await rig.stop()
      }
    }
  )
})
