// What users do to a Deployment all day: scale it, roll it, delete its pods; and a writer of custom resources beside them.
// Owns the choice, by a seed, and the writer's log; refuses to wait for what controllers make of it.
import * as fc from "fast-check"
import type { RealApiServer } from "../../../kube/RealApiServer.ts"

type Call = RealApiServer["call"]

export const DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/churned"
export const PODS = "/api/v1/namespaces/default/pods"
export const WIDGETS = "/apis/churn.example.com/v1/namespaces/default/widgets"
const JSON_BODY = { "content-type": "application/json" }
const MERGE = { "content-type": "application/merge-patch+json" }

const sent = async (call: Call, method: string, path: string, body: object, headers = JSON_BODY): Promise<string> => {
  const answer = await call(method, path, { body: JSON.stringify(body), headers })
  if (answer.code >= 300) throw new Error(`${method} ${path}: ${answer.code} ${answer.body}`)
  return answer.body
}

const deployment = (replicas: number): object => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "churned", labels: { app: "churned" } },
  spec: {
    replicas,
    selector: { matchLabels: { app: "churned" } },
    template: {
      metadata: { labels: { app: "churned" }, annotations: { roll: "0" } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: "c", image: "registry.example/c:1", resources: { requests: { cpu: "10m" } } }]
      }
    }
  }
})

const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.churn.example.com" },
  spec: {
    group: "churn.example.com",
    scope: "Namespaced",
    names: { plural: "widgets", kind: "Widget" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: { spec: { type: "object", properties: { turn: { type: "integer" } } } }
          }
        }
      }
    ]
  }
}

/** Makes the Deployment and the custom resource's definition. */
export const begin = async (call: Call, replicas: number): Promise<void> => {
  await sent(call, "POST", "/apis/apps/v1/namespaces/default/deployments", deployment(replicas))
  await sent(call, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
  for (let attempt = 0; attempt < 100 && (await call("GET", WIDGETS)).code !== 200; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

interface PodList {
  readonly items: ReadonlyArray<{ readonly metadata: { readonly name: string } }>
}

type Deed =
  | { readonly what: "scale"; readonly share: number }
  | { readonly what: "roll" }
  | { readonly what: "delete"; readonly share: number }

const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant("scale" as const), share: fc.double({ min: 0.5, max: 1.1, noNaN: true }) })
  },
  { weight: 2, arbitrary: fc.constant({ what: "roll" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant("delete" as const),
      share: fc.double({ min: 0.01, max: 0.1, noNaN: true })
    })
  }
)

const carryOut = async (call: Call, one: Deed, replicas: number, turn: number): Promise<void> => {
  if (one.what === "scale") {
    await sent(call, "PATCH", `${DEPLOYMENT}/scale`, { spec: { replicas: Math.round(replicas * one.share) } }, MERGE)
  } else if (one.what === "roll") {
    const annotations = { roll: String(turn) }
    await sent(call, "PATCH", DEPLOYMENT, { spec: { template: { metadata: { annotations } } } }, MERGE)
  } else {
    const { items } = JSON.parse((await call("GET", PODS)).body) as PodList
    const victims = items.slice(0, Math.ceil(items.length * one.share))
    await Promise.all(victims.map(({ metadata }) => call("DELETE", `${PODS}/${metadata.name}`)))
  }
}

export interface Written {
  /** Versions of each widget, as its writer was told them. */
  readonly log: ReadonlyMap<string, ReadonlyArray<number>>
  readonly deeds: number
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const versionIn = (body: string): number =>
  Number((JSON.parse(body) as { readonly metadata: { readonly resourceVersion: string } }).metadata.resourceVersion)

/** Writes widgets, each again and again, some of them deleted in the end. */
const writeWidgets = async (call: Call, until: number): Promise<ReadonlyMap<string, ReadonlyArray<number>>> => {
  const log = new Map<string, Array<number>>()
  for (let turn = 0; Date.now() < until; turn++) {
    const name = `widget-${turn % 40}`
    const versions = log.get(name) ?? []
    const body = { apiVersion: "churn.example.com/v1", kind: "Widget", metadata: { name }, spec: { turn } }
    versions.push(
      versionIn(
        versions.length === 0
          ? await sent(call, "POST", WIDGETS, body)
          : await sent(call, "PATCH", `${WIDGETS}/${name}`, { spec: { turn } }, MERGE)
      )
    )
    log.set(name, versions)
    await pause(15)
  }
  return log
}

/** Churns for so long; then the Deployment is asked to have all its replicas again. */
export const churn = async (
  call: Call,
  options: { readonly replicas: number; readonly seconds: number; readonly seed: number }
): Promise<Written> => {
  const until = Date.now() + options.seconds * 1000
  const deeds = fc.sample(deed, { numRuns: 10_000, seed: options.seed })
  const writing = writeWidgets(call, until)
  let done = 0
  while (Date.now() < until) {
    const next = deeds[done % deeds.length]
    if (next !== undefined) await carryOut(call, next, options.replicas, ++done)
    await pause(2000)
  }
  const log = await writing
  await sent(call, "PATCH", `${DEPLOYMENT}/scale`, { spec: { replicas: options.replicas } }, MERGE)
  return { log, deeds: done }
}
