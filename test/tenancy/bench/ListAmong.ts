// A tenant's list of its pods in all its namespaces, in a cluster that holds only them and among many others' pods, on our own API
// server in memory: `node --max-old-space-size=16000 test/tenancy/bench/ListAmong.ts [PODS_OF_OTHERS]`, 300,000 by default, about five
// minutes and 4 GiB on two quiet cores. Prints both medians and their ratio, of which the aim is at most 2.
import { Effect } from "effect"
import { NodeServices } from "@effect/platform-node"
import { findAsset } from "#kind"
import { startZoo } from "../serve/Zoo.ts"

const others = Number(process.argv[2] ?? 300_000)
const OWN = 500
const OWN_NAMESPACES = 10
const OTHER_NAMESPACES = 300
const ABREAST = 32
const WARM = 10
const ROUNDS = 40

const kubectl = await Effect.runPromise(
  findAsset("kubectl").pipe(
    Effect.map(({ path }) => path),
    Effect.provide(NodeServices.layer)
  )
)
const zoo = await startZoo({ kubectl })
const type = { "content-type": "application/json" }

const pod = (name: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: "web" } },
    spec: { automountServiceAccountToken: false, containers: [{ name: "c", image: "i" }] }
  })

const namespace = (name: string): string => JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name } })

/** Runs so many steps, some at the same time. */
const each = async (count: number, step: (at: number) => Promise<{ readonly code: number; readonly body: string }>) => {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const answer = await step(next++)
      if (answer.code >= 300) throw new Error(`${answer.code} ${answer.body.slice(0, 300)}`)
    }
  }
  await Promise.all(Array.from({ length: ABREAST }, worker))
}

/** The median of lists, in milliseconds; the answer's length is looked at, so that it is the same list. */
const measured = async (): Promise<number> => {
  const times: Array<number> = []
  for (let round = 0; round < WARM + ROUNDS; round++) {
    const begun = performance.now()
    const { body, code } = await zoo.ask("acme01", "GET", "/api/v1/pods")
    times.push(performance.now() - begun)
    const found = body.split('"name":"own-').length - 1
    if (code !== 200 || found !== OWN) throw new Error(`${code}: ${found} pods`)
  }
  return times.slice(WARM).toSorted((a, b) => a - b)[ROUNDS / 2] ?? 0
}

try {
  await zoo.tenant("acme01")
  await each(OWN_NAMESPACES, (at) => zoo.ask("acme01", "POST", "/api/v1/namespaces", { body: namespace(`n-${at}`) }))
  for (const at of Array.from({ length: OWN_NAMESPACES }).keys()) {
    const account = `/api/v1/namespaces/n-${at}/serviceaccounts`
    const body = JSON.stringify({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } })
    const { code } = await zoo.ask("acme01", "POST", account, { body })
    if (code !== 201 && code !== 409) throw new Error(`${account}: ${code}`)
  }
  await each(OWN, (at) =>
    zoo.ask("acme01", "POST", `/api/v1/namespaces/n-${at % OWN_NAMESPACES}/pods`, { body: pod(`own-${at}`) })
  )
  const alone = await measured()
  console.log(`alone: p50 ${alone.toFixed(2)} ms`)
  const { call } = zoo.upstream
  await each(OTHER_NAMESPACES, (at) =>
    call("POST", "/api/v1/namespaces", { body: namespace(`other-${at}`), headers: type })
  )
  await each(OTHER_NAMESPACES, async (at) => {
    const path = `/api/v1/namespaces/other-${at}/serviceaccounts`
    const body = JSON.stringify({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } })
    const answer = await call("POST", path, { body, headers: type })
    return answer.code === 409 ? { code: 200, body: "" } : answer
  })
  const begun = performance.now()
  await each(others, (at) =>
    call("POST", `/api/v1/namespaces/other-${at % OTHER_NAMESPACES}/pods`, { body: pod(`pod-${at}`), headers: type })
  )
  console.log(`${others} pods of others made in ${((performance.now() - begun) / 1000).toFixed(0)} s`)
  const among = await measured()
  const memory = process.memoryUsage.rss() / 2 ** 30
  console.log(
    `among them: p50 ${among.toFixed(2)} ms, ${(among / alone).toFixed(2)} times; all in ${memory.toFixed(1)} GiB`
  )
} finally {
  await zoo.stop()
}
