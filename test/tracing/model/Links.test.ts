// Which links each rule finds in an object, at both ends and in the window of its time; and that a link shows whichever way its object
// came, in whatever order, also when it was only adopted in mid-window.
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type KubeObject, machineClockwork, rfc3339 } from "#kube"
import {
  eventFactsOf,
  type Fact,
  ingestSetting,
  type LinkFact,
  MemorySpanStore,
  objectText,
  parseObjectText,
  watchFactsOf
} from "#tracing"
import { append, search, spansOf } from "../Stores.ts"

const START_US = 1_795_651_200_000_000
const WINDOW_US = 1800 * 1_000_000
const setting = ingestSetting({}, 1800)
const keep = { links: setting.links, redacts: () => false }

interface Told {
  /** group/resource/namespace/name of the object that names others. */
  readonly object: string
  readonly metadata?: object
  readonly body?: object
  /** class, role of the other, the other; uid where the object says it. */
  readonly links: ReadonlyArray<readonly [string, "parent" | "child", string, string?]>
}

const keyOf = (text: string) => {
  const key = parseObjectText(`prod/${text}`)
  if (key === undefined) throw new Error(text)
  return key
}

const objectOf = ({ body = {}, metadata = {}, object }: Told, atUs: number): KubeObject => {
  const { name, namespace } = keyOf(object)
  return {
    metadata: {
      name,
      ...(namespace === "" ? {} : { namespace }),
      uid: "own",
      resourceVersion: "7",
      creationTimestamp: rfc3339(atUs / 1000),
      ...metadata
    },
    ...body
  } as KubeObject
}

const factsOf = (told: Told, atUs = START_US + 1_700_000_000): ReadonlyArray<Fact> =>
  watchFactsOf(keyOf(told.object), "v1", objectOf(told, atUs), false, keep)

const linksOf = (facts: ReadonlyArray<Fact>): ReadonlyArray<LinkFact> => facts.filter((fact) => fact.kind === "link")

const owner = (apiVersion: string, kind: string, name: string, uid: string, controller: boolean) => ({
  apiVersion,
  kind,
  name,
  uid,
  ...(controller ? { controller } : {})
})

const pod = "/pods/shop/web-0"
const cases: Readonly<Record<string, Told>> = {
  "every owner, the controlling one and others, of the namespace or of none": {
    object: pod,
    metadata: {
      ownerReferences: [
        owner("apps/v1", "ReplicaSet", "web", "u1", true),
        owner("v1", "Node", "n1", "u2", false),
        owner("autoscaling/v1", "HorizontalPodAutoscaler", "old-version", "u3", false),
        owner("example.org/v1alpha1", "Gadget", "g", "u4", false)
      ]
    },
    links: [
      ["children", "parent", "apps/replicasets/shop/web", "u1"],
      ["owned", "parent", "/nodes//n1", "u2"],
      ["owned", "parent", "autoscaling/horizontalpodautoscalers/shop/old-version", "u3"],
      ["owned", "parent", "example.org/gadgets/shop/g", "u4"]
    ]
  },
  "a Pod's Node and its claims": {
    object: pod,
    body: {
      spec: {
        nodeName: "n1",
        volumes: [
          { name: "a", persistentVolumeClaim: { claimName: "data" } },
          { name: "b", emptyDir: {} },
          { name: "c", persistentVolumeClaim: { claimName: "logs" } }
        ]
      }
    },
    links: [
      ["node", "parent", "/nodes//n1"],
      ["claim", "child", "/persistentvolumeclaims/shop/data"],
      ["claim", "child", "/persistentvolumeclaims/shop/logs"]
    ]
  },
  "a claim's volume": {
    object: "/persistentvolumeclaims/shop/data",
    body: { spec: { volumeName: "pv-1" } },
    links: [["volume", "child", "/persistentvolumes//pv-1"]]
  },
  "a volume's claim": {
    object: "/persistentvolumes//pv-1",
    body: {
      spec: { claimRef: { kind: "PersistentVolumeClaim", apiVersion: "v1", namespace: "shop", name: "data", uid: "c" } }
    },
    links: [["volume", "parent", "/persistentvolumeclaims/shop/data", "c"]]
  },
  "an attachment's volume": {
    object: "storage.k8s.io/volumeattachments//csi-1",
    body: { spec: { source: { persistentVolumeName: "pv-1" } } },
    links: [["attachment", "parent", "/persistentvolumes//pv-1"]]
  },
  "a slice's Service and its Pods": {
    object: "discovery.k8s.io/endpointslices/shop/web-abc",
    metadata: { labels: { "kubernetes.io/service-name": "web" } },
    body: {
      endpoints: [
        { targetRef: { kind: "Pod", namespace: "shop", name: "web-0", uid: "p0" } },
        { addresses: ["10.0.0.1"] },
        { targetRef: { kind: "Pod", namespace: "shop", name: "web-1", uid: "p1" } }
      ]
    },
    links: [
      ["endpoints", "parent", "/services/shop/web"],
      ["endpoints", "child", "/pods/shop/web-0", "p0"],
      ["endpoints", "child", "/pods/shop/web-1", "p1"]
    ]
  },
  "an autoscaler's target": {
    object: "autoscaling/horizontalpodautoscalers/shop/web",
    body: { spec: { scaleTargetRef: { kind: "Deployment", apiVersion: "apps/v1", name: "web" } } },
    links: [["scales", "child", "apps/deployments/shop/web"]]
  },
  "the parent-link annotation, of this cluster or another": {
    object: "/configmaps/shop/a",
    metadata: {
      annotations: {
        "kelemetry.kubewharf.io/parent-link": JSON.stringify({
          cluster: "other",
          group: "apps",
          version: "v1",
          resource: "deployments",
          namespace: "far",
          name: "boss",
          uid: "b"
        })
      }
    },
    links: [["", "parent", "other:apps/deployments/far/boss", "b"]]
  },
  "nothing for annotations, references and names that are none": {
    object: pod,
    metadata: {
      annotations: { "kelemetry.kubewharf.io/parent-link": "{broken", "tracing.k8s.io/traceparent": "00-xyz-1-01" },
      ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "" }, "text", owner("v1", "Pod", "web-0", "own", true)]
    },
    body: { spec: { nodeName: "", volumes: "many" } },
    links: []
  }
}

const otherOf = (text: string) => {
  const [cluster, rest] = text.includes(":") ? text.split(":") : ["prod", text]
  return `${cluster}/${rest}`
}

describe("a rule finds, at both ends,", () => {
  it.each(Object.entries(cases))("%s", (_, told) => {
    const own = `prod/${told.object}`
    const found = linksOf(factsOf(told)).map(({ atUs, class: name, object, other, otherUid, role, uid }) =>
      [atUs - START_US, name, role, objectText(object), uid, objectText(other), otherUid].join(" ")
    )
    const expected = told.links.flatMap(([name, role, text, uid = ""]) => {
      const back = role === "parent" ? "child" : "parent"
      return [
        [0, name, role, own, "own", otherOf(text), uid].join(" "),
        [0, name, back, otherOf(text), uid, own, "own"].join(" ")
      ]
    })
    expect(found.toSorted()).toEqual(expected.toSorted())
  })
})

it("takes a traceparent as a link to a span elsewhere", () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  const [link, ...more] = linksOf(
    factsOf({ object: pod, metadata: { annotations: { "tracing.k8s.io/traceparent": traceparent } }, links: [] })
  )
  expect(more).toEqual([])
  expect(link.remote).toEqual({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" })
  expect(objectText(link.object)).toBe(`prod/${pod}`)
})

it("takes rules from configuration, beside its own or instead of them", () => {
  const rule = {
    class: "config",
    role: "child",
    from: { group: "", resource: "pods" },
    name: "spec.volumes[*].configMap.name",
    target: { group: "", resource: "configmaps" },
    namespace: "same"
  } as const
  const told: Told = {
    object: pod,
    body: { spec: { nodeName: "n1", volumes: [{ configMap: { name: "cfg" } }] } },
    links: []
  }
  const classes = (withDefaults: boolean) => {
    const { links } = ingestSetting({ links: { rules: [rule], withDefaults } }, 1800)
    const facts = watchFactsOf(keyOf(pod), "v1", objectOf(told, START_US), false, { links, redacts: () => false })
    return [...new Set(linksOf(facts).map((link) => link.class))].sort()
  }
  expect(classes(true)).toEqual(["config", "node"])
  expect(classes(false)).toEqual(["config"])
})

it("tells an Event of the object that it involves, and links the one that is related", () => {
  const event = {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: "e1", namespace: "shop", uid: "e", creationTimestamp: rfc3339(START_US / 1000) },
    eventTime: rfc3339(START_US / 1000),
    reason: "Preempted",
    regarding: { kind: "Pod", namespace: "shop", name: "victim", uid: "v" },
    related: { kind: "Pod", namespace: "shop", name: "winner", uid: "w" }
  } as unknown as KubeObject
  const [fact, ...links] = eventFactsOf("prod", event, setting.links)
  expect([fact.kind, objectText(fact.object), fact.uid]).toEqual(["event", "prod//pods/shop/victim", "v"])
  expect(
    linksOf(links).map((link) => [link.class, link.role, objectText(link.object), objectText(link.other)])
  ).toEqual([
    ["related", "child", "prod//pods/shop/victim", "prod//pods/shop/winner"],
    ["related", "parent", "prod//pods/shop/winner", "prod//pods/shop/victim"]
  ])
})

it("shows an adoption in mid-window at both ends, whatever came first and however often", async () => {
  const orphan = { object: pod, metadata: { resourceVersion: "7" }, links: [] }
  const ownerReferences = [owner("apps/v1", "ReplicaSet", "web", "u1", true)]
  const adopted = { object: pod, metadata: { resourceVersion: "9", generation: 2, ownerReferences }, links: [] }
  const facts = [...factsOf(orphan), ...factsOf(adopted, START_US + 1_750_000_000)]
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([...facts, ...facts], { minLength: facts.length * 2 }), async (some) => {
      const store = new MemorySpanStore({ clockwork: machineClockwork })
      for (const fact of some) await append(store, [fact])
      const found = await search(store, { service: "link", fromUs: START_US, toUs: START_US + WINDOW_US, limit: 10 })
      const told = found.flatMap(({ traceId }) =>
        spansOf(store, traceId).flatMap(({ attributes, object, service }) =>
          service === "link" ? [`${object.name} ${attributes["linkRole"]} ${attributes["linkedName"]}`] : []
        )
      )
      expect(told.toSorted()).toEqual(["web child web-0", "web-0 parent web"])
    }),
    { numRuns: 20 }
  )
})
